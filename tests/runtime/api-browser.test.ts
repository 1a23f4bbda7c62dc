/**
 * The page at `/docs`, in a real browser that reaches nothing but the server.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path),
);
if (CHROMIUM === undefined) console.log("skipped: no chromium here, the page at /docs is not tried in a browser");
const api = useSharedServer();
setDefaultTimeout(60_000);

describe.if(CHROMIUM !== undefined)("the page at /docs in a browser", () => {
  let browser: Browser;
  let page: Page;
  /** What the browser complained about. */
  const complaints: string[] = [];
  const asked: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: CHROMIUM!,
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
    page = await browser.newPage();
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("request", (request) => {
      if (!request.url().startsWith("data:")) asked.push(request.url());
    });
    await page.goto(`${api.http.url}/docs`);
    await page.waitForSelector(".opblock", { timeout: 30_000 });
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
  });

  test("shows every operation of the document", async () => {
    const document = (await api.http.get("/openapi.json")).json;
    const count = Object.values(document.paths as Record<string, object>).reduce(
      (sum, methods) => sum + Object.keys(methods).length,
      0,
    );
    expect(await page.locator(".opblock").count()).toBe(count);
  });

  test("tries an operation against the server: a push that is stored", async () => {
    const queue = uniqueName("docs");
    await page.locator("#operations-Produce-push .opblock-summary-control").click();
    await page.locator("#operations-Produce-push .try-out__btn").click();
    await page
      .locator("#operations-Produce-push textarea.body-param__text")
      .fill(JSON.stringify({ items: [{ queue, payload: { n: 1 } }] }));
    await page.locator("#operations-Produce-push .execute").click();
    const status = page.locator("#operations-Produce-push .live-responses-table tbody td.response-col_status").first();
    await status.waitFor({ timeout: 20_000 });
    expect(await status.textContent()).toContain("201");
    expect((await api.pop(queue)).map((message) => message.data)).toEqual([{ n: 1 }]);
  });

  test("asks nobody but the server, and breaks no rule of its own policy", () => {
    expect(asked.filter((url) => !url.startsWith(api.http.url))).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
