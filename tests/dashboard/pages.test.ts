/**
 * Every page of the dashboard with real data, in both themes and on a phone: shown whole, without a complaint of the browser,
 * readable. Pictures of them are left in `tests/dashboard/screenshots`.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser } from "playwright-core";
import { ackOf } from "../support/api.ts";
import { useSharedServer } from "../support/shared.ts";
import { until, untilTime } from "../support/wait.ts";
import { hasBrowser, launchBrowser, Tab, VIEWS, WAIT_MS } from "./browser.ts";
import { type Seeded, seed } from "./seed.ts";

if (!hasBrowser) console.log("skipped: no chromium here, the dashboard is not tried in a browser");
const api = useSharedServer();
setDefaultTimeout(120_000);

/** Least contrast of text, by WCAG 2.2 AA. */
const CONTRAST_MIN = 4.5;
const TRAFFIC_MS = 40;
const TRAFFIC_MAX = 2_000;

describe.if(hasBrowser)("pages", () => {
  let browser: Browser;
  let made: Seeded;
  beforeAll(async () => {
    [browser, made] = await Promise.all([launchBrowser(), seed(api)]);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
  });

  const pages = (): [name: string, place: string, selector: string][] => [
    ["queues", `/queues?search=${made.orders}`, "tbody tr"],
    ["queue", `/queues/${made.orders}`, "tbody tr"],
    ["messages", `/messages?queue=${made.orders}`, "tbody tr"],
    ["message", `/messages/${made.traced.partitionId}/${made.traced.transactionId}`, ".timeline li"],
    ["dead-letters", `/dead-letters?queue=${made.failing}`, "tbody tr"],
    ["groups", `/groups?search=${made.group}`, "tbody tr"],
    ["group", `/groups/${made.group}`, "tbody tr"],
    ["system", "/system", "text=Table sizes"],
    // In the end, so that its lines have a beginning.
    ["overview", "/overview", ".dot.good, .dot.warn"],
  ];

  /** A little of everything goes on while pictures are taken, until told to stop. @returns Once it has stopped. */
  const live = async (stop: AbortSignal): Promise<void> => {
    for (let at = 0; !stop.aborted && at < TRAFFIC_MAX; at += 1) {
      await api.pushAll(
        made.live,
        `p${at % 3}`,
        Array.from({ length: 3 + (at % 5) }, (_, n) => `${at}/${n}`),
      );
      const messages = await api.pop(made.live, { batch: 5, consumerGroup: made.group });
      if (messages.length > 0)
        await api.ackBatch(
          messages.map((message) => ackOf(message)),
          made.group,
        );
      await untilTime(Date.now() + TRAFFIC_MS);
    }
  };

  test.each(VIEWS)("are whole and without complaint: $name", async (view) => {
    const tab = await Tab.open(browser, api.http.url, view);
    const done = new AbortController();
    const traffic = live(done.signal);
    for (const [name, place, selector] of pages()) {
      await tab.go(place);
      await tab.settled(selector);
      if (name === "overview") {
        const rate = tab.page.locator(".figure", { hasText: "Push" }).first().locator(".value");
        await until(async () => /[1-9]/.test((await rate.textContent()) ?? ""), WAIT_MS, "a rate");
      }
      expect(await tab.page.locator("h1").count()).toBe(1);
      const beyond = await tab.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(`${name} ${beyond}`).toBe(`${name} 0`);
      await tab.picture(`${name}-${view.name}`);
      expect(await unreadable(tab, name)).toEqual([]);
    }
    done.abort();
    await traffic;
    expect(tab.complaints).toEqual([]);
    await tab.close();
  });

  test("say when there is nothing, and when something could not be loaded", async () => {
    const tab = await Tab.open(browser, api.http.url);
    await tab.go("/queues?search=no-such-queue-anywhere");
    await tab.page.locator(".state", { hasText: "no-such-queue-anywhere" }).waitFor();
    await tab.go("/queues/no-such-queue-anywhere");
    await tab.page.locator(".state.failure", { hasText: "Queue not found" }).waitFor();
    await tab.go("/groups/no-such-group");
    await tab.page.locator(".state", { hasText: "no such consumer group" }).waitFor();
    await tab.go("/nowhere");
    await tab.page.locator(".state", { hasText: "no such page" }).waitFor();
    expect(tab.complaints).toEqual([]);
    await tab.close();
  });

  test("poll where no stream gets through", async () => {
    const tab = await Tab.open(browser, api.http.url);
    await tab.page.route("**/api/v1/status/live", (route) =>
      route.request().headers().accept === "text/event-stream"
        ? route.fulfill({ status: 200, contentType: "text/html", body: "<p>a proxy</p>" })
        : route.continue(),
    );
    await tab.go("/overview");
    await tab.page.locator(".connection", { hasText: "Polling" }).waitFor();
    expect(tab.complaints).toEqual([]);
    await tab.close();
  });

  test("are reached by the keyboard, and remember the theme", async () => {
    const tab = await Tab.open(browser, api.http.url);
    await tab.go("/overview");
    await tab.settled(".page-head h1");
    await tab.page.keyboard.press("Tab");
    expect(await tab.page.evaluate(() => document.activeElement?.textContent)).toBe("To the content");
    await tab.page.locator(".menu a", { hasText: "Queues" }).focus();
    await tab.page.keyboard.press("Enter");
    await tab.page.locator("h1", { hasText: "Queues" }).waitFor();
    await tab.page.getByRole("button", { name: "Dark" }).focus();
    await tab.page.keyboard.press("Space");
    await tab.page.reload();
    await tab.settled(".page-head h1");
    expect(await tab.page.evaluate(() => document.documentElement.dataset.theme)).toBe("dark");
    await tab.close();
  });
});

/** Texts whose contrast with what is behind them is too small. */
function unreadable(tab: Tab, page: string): Promise<string[]> {
  return tab.page.evaluate(
    ([least, name]) => {
      const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true })!;
      const rgba = (color: string): number[] => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
      };
      const light = (color: number[]): number => {
        const [r, g, b] = color.slice(0, 3).map((part) => {
          const value = part / 255;
          return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
      };
      const behind = (element: Element): number[] => {
        for (let at: Element | null = element; at !== null; at = at.parentElement) {
          const color = rgba(getComputedStyle(at).backgroundColor);
          if (color[3] === 255) return color;
        }
        return [255, 255, 255, 255];
      };
      const found = new Set<string>();
      for (const element of document.querySelectorAll("body *")) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim());
        if (!own || (element as HTMLElement).offsetParent === null || element.closest(":disabled, option, svg"))
          continue;
        const [text, ground] = [light(rgba(getComputedStyle(element).color)), light(behind(element))];
        const contrast = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
        if (contrast < least) found.add(`${name}: ${element.tagName}.${element.className} ${contrast.toFixed(2)}`);
      }
      return [...found];
    },
    [CONTRAST_MIN, page] as const,
  );
}
