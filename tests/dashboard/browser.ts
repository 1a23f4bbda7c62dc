/**
 * The dashboard in a real browser, which reaches nothing but the server.
 *
 * @module
 */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

/** Where Debian and others keep it. */
const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path),
);
/** Whether there is a browser to try it in. */
export const hasBrowser = CHROMIUM !== undefined;
/** How long anything may take on a busy machine. */
export const WAIT_MS = 30_000;
const SCREENSHOTS = join(import.meta.dirname, "screenshots");

/** How a page is looked at. */
export interface View {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly scheme: "light" | "dark";
}

/** Both themes, and a phone. */
export const VIEWS: readonly View[] = [
  { name: "light", width: 1280, height: 860, scheme: "light" },
  { name: "dark", width: 1280, height: 860, scheme: "dark" },
  { name: "phone", width: 360, height: 844, scheme: "light" },
];

/** Starts the browser; the caller closes it. */
export function launchBrowser(): Promise<Browser> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  return chromium.launch({
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
}

/** A tab, and what the browser complained about in it. */
export class Tab {
  readonly page: Page;
  readonly complaints: string[] = [];
  readonly #context: BrowserContext;
  readonly #url: string;

  private constructor(context: BrowserContext, page: Page, url: string) {
    this.#context = context;
    this.page = page;
    this.#url = url;
    page.on("console", (message) => {
      // A refused token is an answer, and the browser counts it as an error of its own.
      const refused = /status of 40[13]/.test(message.text());
      if (message.type() === "error" && !refused) this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("request", (request) => {
      if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(url)) {
        this.complaints.push(`asked ${request.url()}`);
      }
    });
  }

  /** Opens a tab with storage of its own. */
  static async open(browser: Browser, url: string, view: View = VIEWS[0]!): Promise<Tab> {
    const context = await browser.newContext({
      viewport: { width: view.width, height: view.height },
      colorScheme: view.scheme,
      reducedMotion: "reduce",
    });
    context.setDefaultTimeout(WAIT_MS);
    return new Tab(context, await context.newPage(), url);
  }

  /** Goes to a place within the page, such as `/queues`. */
  async go(place: string): Promise<void> {
    await this.page.goto(`${this.#url}/#${place}`);
  }

  /** Waits until nothing is being loaded, and what was asked for is there. */
  async settled(selector: string): Promise<void> {
    await this.page.locator(selector).first().waitFor();
    await this.page.waitForFunction(() => document.querySelector(".skeleton") === null);
  }

  /** Waits for a notice with a text. */
  async notice(text: string | RegExp): Promise<void> {
    await this.page.locator(".notice", { hasText: text }).first().waitFor();
  }

  /** Keeps a picture of the whole page. */
  async picture(name: string): Promise<void> {
    await this.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
  }

  async close(): Promise<void> {
    await this.#context.close();
  }
}
