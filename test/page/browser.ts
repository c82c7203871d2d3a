/**
 * Debian's Chromium, driven through playwright-core: what it says, which requests it makes. Where it is missing, tests are skipped on a
 * person's machine and fail in CI.
 */
import { existsSync } from "node:fs";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";

const PROGRAM = process.env["SHOAL_CHROMIUM"] ?? "/usr/bin/chromium";

export const isChromiumMissing = process.env["CI"] !== "true" && !existsSync(PROGRAM);
if (isChromiumMissing)
  process.stderr.write(
    `SKIPPED: the page is not tested, since there is no ${PROGRAM} (apt install chromium)\n`,
  );

export async function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: PROGRAM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

export interface Visit {
  readonly page: Page;
  /** Errors, warnings (a breach of the policy is one) and exceptions. */
  readonly complaints: string[];
  /** URLs, each once. */
  readonly requests: Set<string>;
}

/** `prepare`: before the page is loaded. */
export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
  prepare: (page: Page) => Promise<unknown> = async () => undefined,
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 1000 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const complaints: string[] = [];
  const requests = new Set<string>();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
  page.on("request", (request) => requests.add(request.url()));
  await prepare(page);
  await page.goto(url);
  return { page, complaints, requests };
}
