/**
 * The dashboard of a server with authentication: it asks for a token, and offers only what its role may do.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser } from "playwright-core";
import { Http } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { bearer, HS256_ENV, hsToken, seconds } from "../support/tokens.ts";
import { until } from "../support/wait.ts";
import { hasBrowser, launchBrowser, Tab, WAIT_MS } from "./browser.ts";

setDefaultTimeout(120_000);

describe.if(hasBrowser)("with authentication", () => {
  let browser: Browser;
  let server: TestServer;
  let http: Http;
  const tokens: Record<string, string> = {};
  beforeAll(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer({ env: HS256_ENV })]);
    http = new Http(server.url);
    for (const role of ["read-only", "read-write", "admin"]) {
      tokens[role] = await hsToken({ sub: `the ${role}`, role, exp: seconds(3_600) });
    }
    const headers = bearer(tokens.admin!);
    await http.call("POST", "/api/v1/push", { headers, json: { items: [{ queue: "orders", payload: 1 }] } });
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  const enter = async (tab: Tab, token: string) => {
    await tab.page.locator("#token").fill(token);
    await tab.page.getByRole("button", { name: "Continue" }).click();
  };
  const buttons = (tab: Tab) => tab.page.locator(".page-head .actions > *").allTextContents();

  test.each([
    ["read-only", ["Messages"]],
    ["read-write", ["Messages", "Push", "Options"]],
    ["admin", ["Messages", "Push", "Options", "Clear", "Delete"]],
  ] as const)("offers what the role may do: %s", async (role, offered) => {
    const tab = await Tab.open(browser, server.url);
    await tab.go("/queues/orders");
    await enter(tab, tokens[role]!);
    await tab.settled(".page-head h1");
    expect(await buttons(tab)).toEqual([...offered]);
    expect(await tab.page.locator(".bearer").textContent()).toContain(`the ${role}`);
    await tab.page.locator(".connection", { hasText: "Live" }).waitFor();
    // The token is kept for this tab.
    await tab.page.reload();
    await tab.settled(".page-head h1");
    expect(await buttons(tab)).toEqual([...offered]);
    await tab.page.getByRole("button", { name: "Forget" }).click();
    await tab.page.locator("#token").waitFor();
    expect(tab.complaints).toEqual([]);
    await tab.close();
  });

  test("says why a token is refused", async () => {
    const tab = await Tab.open(browser, server.url);
    await tab.go("/overview");
    await enter(tab, await hsToken({ role: "admin", exp: seconds(-3_600) }));
    await tab.page.locator(".stale", { hasText: "Token has expired" }).waitFor();
    await tab.picture("token-light");
    await enter(tab, tokens.admin!);
    await tab.settled(".page-head h1");
    await tab.close();
  });

  test("lets an admin hold pushes back: they go to the disk, and are stored after", async () => {
    const tab = await Tab.open(browser, server.url);
    await tab.go("/system");
    await enter(tab, tokens.admin!);
    const headers = bearer(tokens.admin!);
    const push = async (queue: string) => {
      const json = { items: [{ queue, payload: 1 }] };
      return (await http.call("POST", "/api/v1/push", { headers, json })).json[0].status as string;
    };
    await tab.page.getByRole("switch", { name: "Hold pushes back" }).click();
    await tab.page.locator("dialog").getByRole("button", { name: "Hold back" }).click();
    await tab.notice("Pushes are held back");
    expect(await push("held")).toBe("buffered");
    const waiting = tab.page.getByRole("region", { name: "Buffer on disk" }).locator(".figure", { hasText: "Waiting" });
    await until(async () => (await waiting.locator(".value").textContent()) === "1", WAIT_MS, "the buffer's figure");
    await tab.page.locator("[role=switch][aria-checked=true]").click();
    await tab.notice("Pushes are let through");
    await until(async () => (await waiting.locator(".value").textContent()) === "0", WAIT_MS, "an empty buffer");
    expect(await push("after")).toBe("queued");
    const stored = await http.get("/api/v1/messages?queue=held", headers);
    expect(stored.json.messages).toHaveLength(1);
    await tab.close();
  });

  test("lets an admin hold pops back, and nobody else", async () => {
    const tab = await Tab.open(browser, server.url);
    await tab.go("/system");
    await enter(tab, tokens.admin!);
    const toggle = tab.page.getByRole("switch", { name: "Hold pops back" });
    const held = async () =>
      (await http.get("/api/v1/system/maintenance", bearer(tokens.admin!))).json.popMaintenanceMode as boolean;
    await toggle.click();
    await tab.page.locator("dialog").getByRole("button", { name: "Hold back" }).click();
    await tab.notice("Pops are held back");
    expect(await held()).toBe(true);
    await tab.page.locator("[role=switch][aria-checked=true]").click();
    await tab.notice("Pops are let through");
    expect(await held()).toBe(false);
    await tab.close();
    const reader = await Tab.open(browser, server.url);
    await reader.go("/system");
    await enter(reader, tokens["read-only"]!);
    await reader.settled("text=Table sizes");
    expect(await reader.page.getByRole("switch").count()).toBe(0);
    await reader.close();
  });
});
