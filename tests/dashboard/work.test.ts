/**
 * Long work and bad moments in the dashboard: hundreds of dead letters, a seek to a time, answers that do not come or fail.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser, Page, Route } from "playwright-core";
import { ackOf, payloads } from "../support/api.ts";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";
import { until, untilTime } from "../support/wait.ts";
import { hasBrowser, launchBrowser, Tab, WAIT_MS } from "./browser.ts";

const api = useSharedServer();
setDefaultTimeout(120_000);

const MANY = 500;
const BEFORE_STOP = 40;
const FAILING = 3;

describe.if(hasBrowser)("in a browser", () => {
  let browser: Browser;
  let tab: Tab;
  let page: Page;
  beforeAll(async () => {
    browser = await launchBrowser();
  }, 120_000);
  beforeEach(async () => {
    tab = await Tab.open(browser, api.http.url);
    page = tab.page;
  });
  afterEach(async () => {
    await tab.close();
  });
  afterAll(async () => {
    await browser?.close();
  });

  const press = (name: string | RegExp) => page.getByRole("button", { name, exact: true }).click();
  const inDialog = (name: string) => page.locator("dialog").getByRole("button", { name, exact: true });

  test(`${MANY} dead letters are redriven with progress, a stop, and a count of what could not be`, async () => {
    const queue = uniqueName("many");
    await api.configure(queue, { retryLimit: 0 });
    await api.pushAll(
      queue,
      "p",
      Array.from({ length: MANY }, (_, n) => n),
    );
    const popped = await api.pop(queue, { batch: MANY, consumerGroup: "g" });
    await api.ackBatch(
      popped.map((message) => ackOf(message, "failed", "no")),
      "g",
    );
    const dead = async () => (await api.http.get(`/api/v1/dlq?queue=${queue}`)).json.total as number;
    expect(await dead()).toBe(MANY);

    let passed = 0;
    let release = () => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const gate = async (route: Route) => {
      passed += 1;
      if (passed > BEFORE_STOP) await released;
      await route.continue();
    };
    await page.route("**/retry", gate);
    await tab.go(`/dead-letters?queue=${queue}`);
    await press(`Redrive all ${MANY}`);
    await inDialog("Redrive").click();
    await page.locator("dialog", { hasText: `${BEFORE_STOP} of ${MANY} redriven…` }).waitFor();
    await inDialog("Stop").click();
    release();
    await page.locator("dialog", { hasText: "; stopped." }).waitFor();
    const text = await page.locator("dialog [role=status]").textContent();
    const [, done] = /^(\d+) of 500 redriven/.exec(text ?? "")!;
    expect(await dead()).toBe(MANY - Number(done));
    expect(Number(done)).toBeLessThan(MANY / 2);
    await page.locator("dialog footer").getByRole("button", { name: "Close" }).click();
    await page.unroute("**/retry", gate);

    const left = MANY - Number(done);
    // The newest come first: these are still there.
    const last = new Set(popped.slice(0, FAILING).map(({ transactionId }) => encodeURIComponent(transactionId)));
    const refuse = (route: Route) =>
      [...last].some((id) => route.request().url().includes(`/${id}/retry`)) ? route.abort() : route.continue();
    await page.route("**/retry", refuse);
    await tab.go(`/dead-letters?queue=${queue}&`);
    await press(`Redrive all ${left}`);
    await inDialog("Redrive").click();
    await page.locator("dialog", { hasText: `, ${FAILING} could not be (` }).waitFor();
    await page.locator("dialog footer").getByRole("button", { name: "Close" }).click();
    expect(await dead()).toBe(FAILING);
  });

  test("a group is moved to a time, and gets then what the preview counted", async () => {
    const queue = uniqueName("time");
    await api.pushAll(queue, "p", [1, 2, 3]);
    const first = await api.pop(queue, { batch: 10, consumerGroup: "look", autoAck: true });
    // A field for a time knows whole seconds.
    const between = (Math.floor(Date.parse(first.at(-1)!.createdAt) / 1_000) + 1) * 1_000;
    await untilTime(between + 100);
    await api.pushAll(queue, "p", [4, 5]);
    await api.pop(queue, { batch: 10, consumerGroup: "g", autoAck: true });
    await tab.go("/groups/g");
    const panel = page.getByRole("region", { name: queue, exact: true });
    await panel.getByRole("button", { name: "Seek" }).click();
    await page.locator("dialog").getByRole("button", { name: "After a time" }).click();
    const local = await page.evaluate(
      (at) => new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 19),
      between,
    );
    await page.fill("dialog input[name=time]", local);
    const figure = (name: string) => page.locator("dialog .figure", { hasText: name }).locator(".value").textContent();
    await until(async () => (await figure("Delivered again")) === "2", WAIT_MS, "the preview");
    expect([await figure("Skipped"), await figure("Pending then")]).toEqual(["0", "2"]);
    await inDialog("Move the group").click();
    await tab.notice("was moved");
    expect(payloads(await api.pop(queue, { batch: 10, consumerGroup: "g" }))).toEqual([4, 5]);
    expect(tab.complaints).toEqual([]);
  });

  test("what loads is grey, what failed says why and can be tried again", async () => {
    const queue = uniqueName("slow");
    await api.push({ queue, payload: 1 });
    let answer = () => {};
    const held = new Promise<void>((resolve) => (answer = resolve));
    const fail = async (route: Route) => {
      await held;
      await route.fulfill({ status: 503, contentType: "application/json", body: '{"error":"The database is away"}' });
    };
    const listing = `**/api/v1/status/queues?*`;
    await page.route(listing, fail);
    await tab.go(`/queues?search=${queue}`);
    await page.locator(".skeleton").first().waitFor();
    answer();
    await page.locator(".state.failure", { hasText: "The database is away" }).waitFor();
    await tab.picture("failure-light");
    await page.unroute(listing, fail);
    await press("Try again");
    await page.locator("td a", { hasText: queue }).waitFor();
    expect(await page.locator(".state.failure").count()).toBe(0);
  });

  test("the keyboard stays in a dialog, and is where it was after it", async () => {
    await tab.go("/queues");
    const opener = page.getByRole("button", { name: "New queue", exact: true });
    await opener.focus();
    await page.keyboard.press("Enter");
    await page.locator("dialog input[name=name]").waitFor();
    const inside = () => page.evaluate(() => document.activeElement?.closest("dialog, body")?.tagName);
    const seen = new Set<string | undefined>();
    for (let at = 0; at < 60; at += 1) {
      await page.keyboard.press("Tab");
      seen.add(await inside());
      expect(await page.evaluate(() => document.activeElement?.closest(".frame") !== null)).toBe(
        await page.evaluate(() => document.activeElement?.closest("dialog .frame, .frame dialog") !== null),
      );
    }
    expect(seen).toContain("DIALOG");
    await page.keyboard.press("Escape");
    await page.locator("dialog").waitFor({ state: "detached" });
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain("New queue");
    expect(tab.complaints).toEqual([]);
  });
});
