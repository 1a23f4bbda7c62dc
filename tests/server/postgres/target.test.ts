import { describe, expect, test } from "bun:test";
import { DatabaseUrlError, parseDatabaseUrl, parseHosts, parsePort } from "../../../server/postgres/target.ts";

const plain = {
  hosts: ["localhost"],
  port: 5432,
  user: "postgres",
  password: null,
  database: "postgres",
  tls: "off" as const,
  ignored: [] as string[],
};

describe("parseDatabaseUrl()", () => {
  const cases: [string, Partial<typeof plain> | Record<string, unknown>][] = [
    ["postgres://", {}],
    ["postgresql://db", { hosts: ["db"] }],
    ["postgres://u:p@db:6543/q", { hosts: ["db"], port: 6543, user: "u", password: "p", database: "q" }],
    ["postgres://u@db", { hosts: ["db"], user: "u", database: "u" }],
    ["postgres://u:@db", { hosts: ["db"], user: "u", password: "", database: "u" }],
    ["postgres://u:a%40b+c%3A:d@db/my%20q", { hosts: ["db"], user: "u", password: "a@b+c::d", database: "my q" }],
    ["postgres://a,b:6000/q", { hosts: ["a", "b"], port: 6000, database: "q" }],
    ["postgres://a:6000,b:6000/q", { hosts: ["a", "b"], port: 6000, database: "q" }],
    ["postgres://a:6000,b:6001,c/q", { hosts: ["a:6000", "b:6001", "c:5432"], database: "q" }],
    ["postgres://[::1]:6000,b:6001/q", { hosts: ["[::1]:6000", "b:6001"], database: "q" }],
    ["postgres://[::1]:7000/q", { hosts: ["::1"], port: 7000, database: "q" }],
    ["postgres:///q?host=/var/run/postgresql", { hosts: ["/var/run/postgresql"], database: "q" }],
    ["postgres://u@%2Ftmp%2Fs:5433/q", { hosts: ["/tmp/s"], port: 5433, user: "u", database: "q" }],
    ["postgres:///?user=u&password=p%26&dbname=d&port=1", { user: "u", password: "p&", database: "d", port: 1 }],
    ["postgres://db?sslmode=disable", { hosts: ["db"] }],
    ["postgres://db?sslmode=prefer", { hosts: ["db"] }],
    ["postgres://db?sslmode=require", { hosts: ["db"], tls: "no-verify" }],
    ["postgres://db?sslmode=verify-full", { hosts: ["db"], tls: "verify" }],
    ["postgres://db/?ssl=true", { hosts: ["db"], tls: "verify" }],
    [
      "postgres://db?sslmode=require&channel_binding=require",
      { hosts: ["db"], tls: "no-verify", ignored: ["channel_binding"] },
    ],
    [" postgres://db \n", { hosts: ["db"] }],
  ];
  for (const [url, expected] of cases) {
    test(JSON.stringify(url), () => expect(parseDatabaseUrl(url)).toEqual({ ...plain, ...expected } as typeof plain));
  }

  const refused: [string, string][] = [
    ["", "scheme"],
    ["mysql://db", "scheme"],
    ["localhost:5432", "scheme"],
    ["postgres://db:0", "port"],
    ["postgres://db:65536", "port"],
    ["postgres://db:54e2", "port"],
    ["postgres://db:", "ok"],
    ["postgres://a,,b", "host"],
    ["postgres://[::1", "host"],
    ["postgres://::1", "port"],
    ["postgres://u:p/w@db", "port"],
    ["postgres://u:p@w@db", "port"],
    ["postgres:///q?host=/a,/b", "host"],
    ["postgres://u:100%@db", "password"],
    ["postgres://%zz@db", "user"],
    ["postgres://db?sslmode=on", "sslmode"],
    ["postgres://db?sslmode=toString", "sslmode"],
    ["postgres://db?ssl=maybe", "ssl"],
  ];
  for (const [url, part] of refused) {
    if (part === "ok") {
      test(`${JSON.stringify(url)} has the default port`, () => expect(parseDatabaseUrl(url).port).toBe(5432));
      continue;
    }
    test(`${JSON.stringify(url)} is refused for its ${part}`, () => {
      expect(() => parseDatabaseUrl(url)).toThrow(DatabaseUrlError);
      expect(() => parseDatabaseUrl(url)).toThrow(expect.objectContaining({ part }));
    });
  }

  test("an error never shows the password", () => {
    for (const url of [
      "postgres://u:secret@db:x",
      "postgres://u:secret@db?sslmode=x",
      "postgres:/u:secret@db",
      "postgres://u:secret@a@b",
      "postgres://u:x@secret@b",
      "postgres://u:secret/x@b",
      "postgres://u:x/secret@b",
      "postgres://u:secret?x@b",
    ]) {
      try {
        parseDatabaseUrl(url);
        throw new Error("accepted");
      } catch (error) {
        expect(error).toBeInstanceOf(DatabaseUrlError);
        expect(String(error)).not.toContain("secret");
      }
    }
  });
});

test("parseHosts() splits a list and knows a socket folder", () => {
  expect(parseHosts("a, b")).toEqual(["a", "b"]);
  expect(parseHosts("")).toEqual(["localhost"]);
  expect(parseHosts("/var/run/my folder")).toEqual(["/var/run/my folder"]);
  expect(() => parseHosts("a,/tmp")).toThrow(/only database host/);
  expect(() => parseHosts("a b")).toThrow(/not a host name/);
});

test("parsePort() takes 1 to 65535", () => {
  expect([parsePort(""), parsePort("1"), parsePort("65535")]).toEqual([5432, 1, 65535]);
  for (const text of ["0", "65536", "-1", "1.5", "0x10", " 1", "999999"]) expect(() => parsePort(text)).toThrow(/port/);
});
