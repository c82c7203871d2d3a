/** What tests of the page look for in it. */
import type { Locator, Page } from "playwright-core";

/** A member in the picture. */
export const node = (page: Page, name: string, standing: string): Locator =>
  page.locator(`#mesh g.node[data-name=${JSON.stringify(name)}][data-standing="${standing}"]`);

export async function shows(page: Page, selector: string, text: string | RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: text }).first().waitFor();
}

/** A row of a table that has this in it. */
export const row = (page: Page, place: string, text: string | RegExp): Locator =>
  page.locator(`${place} tbody tr`).filter({ hasText: text });

/** The cells of a column, from top to bottom. */
export async function column(page: Page, place: string, index: number): Promise<string[]> {
  return page.locator(`${place} tbody tr > :nth-child(${index})`).allTextContents();
}
