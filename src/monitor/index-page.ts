/** `/`: what there is to look at. Links are relative, so that the page works behind any prefix of a proxy. */
import type { Answer } from "./answer.ts";

const ENTRIES: readonly (readonly [title: string, path: string])[] = [
  ["General", "varz"],
  ["Connections", "connz"],
  ["Routes", "routez"],
  ["Subscriptions", "subsz"],
  ["Accounts", "accountz"],
  ["Account statistics", "accstatz"],
  ["Health", "healthz"],
  ["Readiness", "readyz"],
  ["Start", "startupz"],
  ["Life", "livez"],
  ["JetStream", "jsz"],
  ["Leaf nodes", "leafz"],
  ["Gateways", "gatewayz"],
  ["Runtime", "debug/vars"],
];

/** `basePath` is "/" or "/prefix"; the page itself has no slash at its end. */
export function indexPage(basePath: string): Answer {
  const last = basePath.slice(basePath.lastIndexOf("/") + 1);
  const prefix = last === "" ? "" : `${encodeURIComponent(last)}/`;
  const links = ENTRIES.map(([title, path]) => `<li><a href="./${prefix}${path}">${title}</a> /${path}</li>`);
  const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>shoal</title></head>
<body>
<h1>shoal</h1>
<ul>
${links.join("\n")}
</ul>
</body>
</html>
`;
  return { status: 200, contentType: "text/html; charset=utf-8", body: [page] };
}
