/**
 * The browsable page of the API: Swagger UI, served from here, so that it works without any other server.
 *
 * @module
 */
import swaggerPackage from "swagger-ui-dist/package.json" with { type: "json" };

/** A file of the page. */
export interface DocumentationFile {
  readonly type: string;
  /** Reads it: into the memory of a server only once somebody looks at the page. */
  readonly text: () => Promise<string>;
}

/** Told apart in addresses, so that browsers may keep the files for ever. */
const VERSION = swaggerPackage.version;

const START = `window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#api",
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    filter: true,
    validatorUrl: null,
  });
});
`;

/** Files of the page, by name. */
export const DOCUMENTATION_FILES: Readonly<Record<string, DocumentationFile>> = {
  "swagger-ui-bundle.js": {
    type: "text/javascript; charset=utf-8",
    text: async () => (await import("swagger-ui-dist/swagger-ui-bundle.js", { with: { type: "text" } })).default,
  },
  "swagger-ui.css": {
    type: "text/css; charset=utf-8",
    text: async () => (await import("swagger-ui-dist/swagger-ui.css", { with: { type: "text" } })).default,
  },
  "start.js": { type: "text/javascript; charset=utf-8", text: async () => START },
};

/** What a browser may do with the page: run and load what comes from here, call this server, and nothing else. */
export const DOCUMENTATION_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  // Swagger UI sets styles of single elements, and draws its icons from data addresses.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/**
 * The page.
 *
 * @param version - Of this program; with that of Swagger UI it makes up the addresses of the files.
 * @returns HTML. Its addresses are relative, so that it works behind a proxy that adds a prefix.
 */
export function documentationPage(version: string): string {
  const at = (file: string) => `docs/${file}?v=${encodeURIComponent(`${version}-${VERSION}`)}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Queen API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${at("swagger-ui.css")}">
</head>
<body>
<div id="api"></div>
<script src="${at("swagger-ui-bundle.js")}"></script>
<script src="${at("start.js")}"></script>
</body>
</html>
`;
}
