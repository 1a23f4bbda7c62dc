/**
 * The environment variables that say who may talk to the server, and how: TLS, CORS, authentication.
 *
 * @module
 */
import type { Variable } from "./config-variables.ts";

/** As `VARIABLES`, of which they are a part. */
export const ACCESS_VARIABLES = {
  TLS_CERT: {
    type: "text",
    default: null,
    defaultText: "unset: plain HTTP",
    description: "Certificate to serve HTTPS with, and those it is signed by: PEM, or a file of it.",
  },
  TLS_KEY: {
    type: "text",
    default: null,
    secret: true,
    defaultText: "unset",
    description: "Private key of TLS_CERT: PEM, or a file of it.",
  },
  CORS_ORIGINS: {
    type: "text",
    default: "*",
    description:
      "Origins whose pages may use the server, separated by commas, such as https://app.example.com; * for all, none for no other.",
  },
  JWT_ENABLED: {
    type: "boolean",
    default: false,
    description: "Ask for a token on every route that is not public; see docs/security.md.",
  },
  JWT_ALGORITHM: {
    type: "choice",
    default: "hs256",
    defaultText: "HS256",
    choices: ["hs256", "rs256", "eddsa", "auto"],
    description:
      "How tokens are signed, in any case; auto: as each token says, limited to what keys are configured for.",
  },
  JWT_SECRET: {
    type: "text",
    default: null,
    secret: true,
    raw: true,
    defaultText: "unset",
    description: "Secret of HS256, taken as it is; 32 bytes or more.",
  },
  JWT_PUBLIC_KEY: {
    type: "text",
    default: null,
    defaultText: "unset",
    description: "Public key or certificate of RS256 or EdDSA in PEM; line ends may be written \\n.",
  },
  JWT_JWKS_URL: {
    type: "text",
    default: null,
    defaultText: "unset",
    description: "Where the issuer publishes its keys; used for algorithms that JWT_PUBLIC_KEY is not for.",
  },
  JWT_JWKS_REFRESH_INTERVAL: {
    type: "integer",
    default: 3_600,
    min: 1,
    max: 86_400,
    unit: "s",
    description: "Age from which those keys are fetched anew.",
  },
  JWT_JWKS_TIMEOUT_MS: {
    type: "integer",
    default: 5_000,
    min: 1,
    max: 60_000,
    unit: "ms",
    description: "Longest wait for them.",
  },
  JWT_ISSUER: {
    type: "text",
    default: null,
    defaultText: "unset: any",
    description: "The iss that tokens must have.",
  },
  JWT_AUDIENCE: {
    type: "text",
    default: null,
    defaultText: "unset: any",
    description: "The aud that tokens must have, alone or among others.",
  },
  JWT_CLOCK_SKEW: {
    type: "integer",
    default: 30,
    min: 0,
    max: 3_600,
    unit: "s",
    description: "Tolerance for exp, nbf and iat.",
  },
  JWT_SKIP_PATHS: {
    type: "text",
    default: "/health,/metrics/prometheus,/metrics,/",
    description: "Paths that ask for no token: exactly these, and all below an entry that ends with a slash.",
  },
  JWT_ROLES_CLAIM: { type: "text", default: "role", description: "Claim that holds one role." },
  JWT_ROLES_ARRAY_CLAIM: { type: "text", default: "roles", description: "Claim that holds an array of roles." },
  JWT_ROLE_ADMIN: { type: "text", default: "admin", description: "How tokens call the role that may do everything." },
  JWT_ROLE_READ_WRITE: {
    type: "text",
    default: "read-write",
    description: "How they call the role that may also push and consume.",
  },
  JWT_ROLE_READ_ONLY: { type: "text", default: "read-only", description: "How they call the role that may only look." },
  JWT_ROLE_WRITE_ONLY: {
    type: "text",
    default: "write-only",
    description: "How they call the role that may only push.",
  },
} as const satisfies Record<string, Variable>;
