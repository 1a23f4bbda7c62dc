/**
 * What people do with the dashboard, done in a browser and checked through the API.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { uniqueName } from "../support/names.ts";
import { useSharedServer } from "../support/shared.ts";
import { until } from "../support/wait.ts";
import { hasBrowser, launchBrowser, Tab, WAIT_MS } from "./browser.ts";
import { seed } from "./seed.ts";

const api = useSharedServer();
setDefaultTimeout(120_000);

describe.if(hasBrowser)("actions", () => {
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
    expect(tab.complaints).toEqual([]);
    await tab.close();
  });
  afterAll(async () => {
    await browser?.close();
  });

  const press = (name: string | RegExp) => page.getByRole("button", { name, exact: true }).click();
  const inDialog = (name: string) => page.locator("dialog").getByRole("button", { name, exact: true });
  const confirmTyped = async (text: string, name: string) => {
    expect(await inDialog(name).isDisabled()).toBe(true);
    await page.locator("dialog input.mono").fill(text);
    await inDialog(name).click();
  };
  const dead = async (queue: string) => (await api.http.get(`/api/v1/dlq?queue=${queue}`)).json.total as number;

  test("a queue is made, pushed to, changed, cleared, deleted", async () => {
    const queue = uniqueName("made");
    await tab.go("/queues");
    await press("New queue");
    await page.fill("dialog input[name=name]", queue);
    await page.fill("dialog input[name=namespace]", "ns");
    await page.fill("dialog input[name=leaseTime]", "45");
    await inDialog("Make queue").click();
    await page.locator("h1", { hasText: queue }).waitFor();
    const options = async () => (await api.http.get(`/api/v1/queues/${queue}/options`)).json;
    expect(await options()).toMatchObject({ namespace: "ns", options: { leaseTime: 45, retryLimit: 3 } });
    expect((await options()).options).not.toHaveProperty("ttl");

    await press("Push");
    await page.fill("dialog textarea", "{ no json");
    expect(await inDialog("Push").isDisabled()).toBe(true);
    await page.fill("dialog textarea", '{"by":"hand"}');
    await page.fill("dialog input[name=partition]", "left");
    await inDialog("Push").click();
    await tab.notice("was pushed");
    expect((await api.http.get(`/api/v1/messages?queue=${queue}`)).json.messages).toMatchObject([
      { partition: "left" },
    ]);

    await press("Options");
    await page.locator("dialog input[name=retryLimit]").waitFor();
    expect(await page.inputValue("dialog input[name=leaseTime]")).toBe("45");
    await page.fill("dialog input[name=retryLimit]", "7");
    await inDialog("Save options").click();
    await tab.notice("Options were saved");
    expect(await options()).toMatchObject({ namespace: "ns", options: { leaseTime: 45, retryLimit: 7 } });

    await press("Clear");
    await confirmTyped(queue, "Delete all messages");
    await tab.notice("were deleted");
    expect((await api.http.get(`/api/v1/messages?queue=${queue}`)).json.messages).toEqual([]);

    await press("Delete");
    await confirmTyped(queue, "Delete queue");
    await page.locator("h1", { hasText: "Queues" }).waitFor();
    expect(await options()).toEqual({ error: "Queue not found" });
  });

  test("a dialog is left by Escape, and nothing is done", async () => {
    const { orders } = await seed(api);
    await tab.go(`/queues/${orders}`);
    await press("Delete");
    await page.locator("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.locator("dialog").waitFor({ state: "detached" });
    expect((await api.http.get(`/api/v1/queues/${orders}/options`)).json).toMatchObject({ queue: orders });
  });

  test("a message is looked at, given up, retried, deleted", async () => {
    const queue = uniqueName("one");
    const [pushed] = await api.push({
      queue,
      payload: { deep: { deeper: { deepest: [1, 2] } } },
    });
    const id = pushed!.transaction_id;
    await tab.go(`/messages?queue=${queue}`);
    await page.locator("a", { hasText: id }).click();
    await page.locator(".tree").waitFor();
    expect(await page.locator(".tree").textContent()).not.toContain("deepest: [0");
    await page.locator(".tree button", { hasText: "deeper" }).click();
    await page.getByRole("button", { name: "Bytes" }).click();
    expect(await page.locator(".hex").textContent()).toContain('{"deep":{"deepe');
    await press("Move to dead letters");
    await tab.notice("is a dead letter");
    expect(await dead(queue)).toBe(1);
    await press("Retry");
    await tab.notice("delivered again");
    expect(await dead(queue)).toBe(0);
    await press("Delete");
    await inDialog("Delete message").click();
    await tab.notice("was deleted");
    expect((await api.http.get(`/api/v1/messages?queue=${queue}`)).json.messages).toEqual([]);
  });

  test("dead letters are chosen by error, redriven one, some and all, exported, deleted", async () => {
    const { failing } = await seed(api);
    await tab.go(`/dead-letters?queue=${failing}`);
    await page.locator("button.link", { hasText: "SMTP 550" }).click();
    await press("Redrive all 3");
    await inDialog("Redrive").click();
    await page.locator("dialog", { hasText: "3 of 3 redriven." }).waitFor();
    await page.locator("dialog footer").getByRole("button", { name: "Close" }).click();
    expect(await dead(failing)).toBe(5);

    await tab.go(`/dead-letters?queue=${failing}`);
    await page.locator("table[aria-label='Dead letters'] tbody tr").nth(4).waitFor();
    await page.locator("table[aria-label='Dead letters'] button", { hasText: "Redrive" }).first().click();
    await tab.notice("delivered again");
    expect(await dead(failing)).toBe(4);

    const download = page.waitForEvent("download", { timeout: WAIT_MS });
    await press("Export");
    const lines = readFileSync(await (await download).path(), "utf8")
      .trim()
      .split("\n");
    expect(lines.map((line) => JSON.parse(line).queue)).toEqual([failing, failing, failing, failing]);

    await page.reload();
    const boxes = page.locator("table[aria-label='Dead letters'] input[type=checkbox]");
    await boxes.nth(3).waitFor();
    await boxes.nth(0).check();
    await boxes.nth(1).check();
    await page.locator(".chosen").getByRole("button", { name: "Delete" }).click();
    await confirmTyped("delete", "Delete");
    await page.locator("dialog", { hasText: "2 of 2 deleted." }).waitFor();
    await page.locator("dialog footer").getByRole("button", { name: "Close" }).click();
    expect(await dead(failing)).toBe(2);
    await press("Delete all");
    await confirmTyped("delete", "Delete");
    await page.locator("dialog", { hasText: "2 of 2 deleted." }).waitFor();
    expect(await dead(failing)).toBe(0);
  });

  test("a consumer group is moved after a look at what that does, and forgotten", async () => {
    const { orders, failing, group } = await seed(api);
    await tab.go(`/groups/${group}`);
    const panel = page.getByRole("region", { name: orders, exact: true });
    await panel.getByRole("button", { name: "Seek" }).click();
    const figure = (name: string) => page.locator("dialog .figure", { hasText: name }).locator(".value").textContent();
    await page.locator("dialog .figure").first().waitFor();
    expect(await figure("Skipped")).toBe("30");
    await page.locator("dialog").getByRole("button", { name: "To the beginning" }).click();
    await until(async () => (await figure("Delivered again")) === "6", WAIT_MS, "the preview");
    expect(await figure("Pending then")).toBe("36");
    await inDialog("Move the group").click();
    await tab.notice("was moved");
    const behind = async () =>
      (
        (await api.http.get("/api/v1/consumer-groups")).json as {
          name: string;
          queueName: string;
          pendingMessages: number;
        }[]
      )
        .filter(({ name }) => name === group)
        .map(({ queueName, pendingMessages }) => [queueName, pendingMessages])
        .sort();
    expect(await behind()).toEqual(
      [
        [failing, 0],
        [orders, 36],
      ].sort(),
    );

    await panel.getByRole("button", { name: "Delete here" }).click();
    await confirmTyped(group, "Delete");
    await tab.notice("was deleted");
    expect(await behind()).toEqual([[failing, 0]]);
    await press("Delete group");
    await confirmTyped(group, "Delete");
    await page.locator("h1", { hasText: "Consumer groups" }).waitFor();
    expect(await behind()).toEqual([]);
  });

  test("lag and lease of a group are shown by partition", async () => {
    const { orders, group } = await seed(api);
    await tab.go(`/queues/${orders}`);
    await page.locator("select").selectOption(group);
    await page.locator("td .badge", { hasText: "leased" }).waitFor();
    const rows = await page.locator("table[aria-label=Partitions] tbody tr").allTextContents();
    expect(rows.some((row) => row.startsWith("customer-") && row.includes("leased"))).toBe(true);
  });
});
