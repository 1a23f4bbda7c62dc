/**
 * Requests that no client library can send.
 *
 * @module
 */

type Case = [name: string, head: string, body: string];

/** Heads (and bodies) to be written to a socket as they are; `Host` is added after the first line. */
export function hostileHeads(): Case[] {
  const push = "POST /api/v1/push HTTP/1.1";
  const cases: [name: string, head: string, body?: string][] = [
    ["no request at all", "\0\x01\x02\xff"],
    ["a method that is none", "PWN /api/v1/push HTTP/1.1"],
    ["a method of a kilobyte", `${"A".repeat(1_024)} / HTTP/1.1`],
    ["a path of a megabyte", `GET /${"a".repeat(1_000_000)} HTTP/1.1`],
    ["a path with raw bytes", "GET /api/v1/pop/queue/\xff\xfe HTTP/1.1"],
    ["a path with a NUL", "GET /api/v1/pop/queue/a\0b HTTP/1.1"],
    ["a path that climbs", "GET /api/v1/../../../../etc/passwd HTTP/1.1"],
    ["an encoded path that climbs", "GET /docs/..%2f..%2f..%2fpackage.json HTTP/1.1"],
    ["an address instead of a path", "GET http://evil.example/api/v1/dlq HTTP/1.1"],
    ["an asterisk", "OPTIONS * HTTP/1.1"],
    ["CONNECT", "CONNECT evil.example:443 HTTP/1.1"],
    ["HTTP/9.9", "GET /health HTTP/9.9"],
    ["HTTP/0.9", "GET /health"],
    ["a header of a megabyte", `GET /health HTTP/1.1\nX-A: ${"a".repeat(1_000_000)}`],
    ["ten thousand headers", `GET /health HTTP/1.1${Array.from({ length: 10_000 }, (_, n) => `\nX-${n}: 1`).join("")}`],
    ["a header without a name", "GET /health HTTP/1.1\n: x"],
    ["a folded header", "GET /health HTTP/1.1\nX-A: b\n c"],
    ["raw bytes in a token", "GET /api/v1/dlq HTTP/1.1\nAuthorization: Bearer \xff\xfe\x80"],
    ["a negative length", `${push}\nContent-Length: -1`, "{}"],
    ["a length that is no number", `${push}\nContent-Length: ten`, "{}"],
    ["a length of twenty digits", `${push}\nContent-Length: 99999999999999999999`, "{}"],
    ["a length of a terabyte", `${push}\nContent-Length: 1099511627776`, "{}"],
    ["two lengths", `${push}\nContent-Length: 2\nContent-Length: 20`, "{}"],
    ["a length and chunks", `${push}\nContent-Length: 4\nTransfer-Encoding: chunked`, "0\r\n\r\n"],
    ["a chunk size that is none", `${push}\nTransfer-Encoding: chunked`, "zz\r\n{}\r\n0\r\n\r\n"],
    ["a chunk of an exabyte", `${push}\nTransfer-Encoding: chunked`, "ffffffffffffffff\r\n{}"],
    ["chunks that end early", `${push}\nTransfer-Encoding: chunked`, "5\r\n{"],
    ["an encoding that nobody knows", `${push}\nTransfer-Encoding: xyz`, "{}"],
    ["a body that ends early", `${push}\nContent-Length: 100`, '{"items":['],
    [
      "a switch to HTTP/2",
      "GET /health HTTP/1.1\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__",
    ],
    ["HTTP/2 at once", "PRI * HTTP/2.0"],
    ["a socket without a key", "GET /ws/dashboard HTTP/1.1\nUpgrade: websocket\nConnection: Upgrade"],
  ];
  return cases.map(([name, head, body = ""]): Case => [name, head, body]);
}
