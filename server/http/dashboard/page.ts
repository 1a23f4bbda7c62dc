/**
 * The page of the dashboard and its files. What the browser runs lies in `server/dashboard`.
 *
 * @module
 */

/** A file of the page. */
export interface DashboardFile {
  readonly type: string;
  /** Reads it: into the memory of a server only once somebody looks at the page. */
  readonly text: () => Promise<string>;
}

const bundle = () => import("./files.generated.ts");

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#4f46c8"/><path d="M7 22V10.5l5 4.5 4-7 4 7 5-4.5V22z" fill="#fff"/><rect x="7" y="23.5" width="18" height="2" rx="1" fill="#fff" opacity=".75"/></svg>
`;

/** Files of the page, by name. */
export const DASHBOARD_FILES: Readonly<Record<string, DashboardFile>> = {
  "app.js": { type: "text/javascript; charset=utf-8", text: async () => (await bundle()).DASHBOARD_SCRIPT },
  "app.css": { type: "text/css; charset=utf-8", text: async () => (await bundle()).DASHBOARD_STYLE },
  "icon.svg": { type: "image/svg+xml", text: async () => ICON },
};

/** What a browser may do with the page: run and load what comes from here, call this server, and nothing else. */
export const DASHBOARD_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/**
 * The page.
 *
 * @returns HTML. Its addresses are relative, so that it works behind a proxy that adds a prefix, and name the version of the
 * files, so that browsers may keep them for ever.
 */
export async function dashboardPage(): Promise<string> {
  const version = (await bundle()).DASHBOARD_VERSION;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Queen</title>
<link rel="icon" type="image/svg+xml" href="dashboard/icon.svg?v=${version}">
<link rel="stylesheet" href="dashboard/app.css?v=${version}">
<script type="module" src="dashboard/app.js?v=${version}"></script>
</head>
<body>
<div id="app"></div>
<noscript>The dashboard needs JavaScript. The API is described at <a href="docs">/docs</a>.</noscript>
</body>
</html>
`;
}
