/**
 * `bun run dashboard`: bundles the browser code of the dashboard into `server/http/dashboard/files.generated.ts`, which is
 * committed, so that neither a fresh clone nor the single binary nor Deno has to bundle anything to serve it.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
/** Where the bundle is kept. */
export const BUNDLE_PATH = join(ROOT, "server/http/dashboard/files.generated.ts");

/**
 * Bundles the dashboard.
 *
 * @returns Text of the generated module: the same for the same sources and tools.
 * @throws AggregateError when the sources do not compile.
 */
export async function bundleDashboard(): Promise<string> {
  const built = await Bun.build({
    entrypoints: [join(ROOT, "server/dashboard/main.tsx")],
    root: join(ROOT, "server/dashboard"),
    target: "browser",
    minify: true,
    jsx: { runtime: "automatic", importSource: "preact", development: false },
    naming: "[name].[ext]",
  });
  const files: Record<string, string> = {};
  for (const output of built.outputs) files[output.path.replace(/^.*\//, "")] = await output.text();
  const version = createHash("sha256").update(JSON.stringify(files)).digest("hex").slice(0, 12);
  return [
    "/** Written by `bun run dashboard` from server/dashboard. Do not edit. */",
    `export const DASHBOARD_VERSION = ${JSON.stringify(version)};`,
    `export const DASHBOARD_SCRIPT = ${JSON.stringify(files["main.js"])};`,
    `export const DASHBOARD_STYLE = ${JSON.stringify(files["main.css"])};`,
    "",
  ].join("\n");
}

if (import.meta.main) writeFileSync(BUNDLE_PATH, await bundleDashboard());
