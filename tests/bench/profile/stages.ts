/**
 * Which stage of a message's life a sampled stack belongs to.
 *
 * @module
 */

/** A thread of the server that runs JavaScript. */
export type Side = "router" | "workers";

/** One frame as `<file>:<function>`; native functions have no file. */
type Rule = [stage: string, frame: RegExp];

/** The first frame that a rule knows, from the innermost outwards, decides; of several rules the first. */
const RULES: Record<Side, Rule[]> = {
  router: [
    ["send", /\/http\/stream\.ts:/],
    ["hand over", /\/server\/pool\//],
    ["send", /\/http\/respond\.ts:|\/http\/compression\.ts:/],
    ["receive", /\/http\/body\.ts:/],
    ["route", /\/server\/|\/node_modules\/hono\//],
  ],
  workers: [
    ["compress", /:packBody$/],
    ["decompress", /:unpackBody$|[dD]ecompress/],
    ["driver socket", /^node:net:/],
    ["driver", /\/node_modules\/postgres\//],
    ["render", /\/wire\/(push|pop|ack|segment)-answer\.ts:|\/wire\/json-render\.ts:|:(textBody|encode\w+)$/],
    [
      "parse and validate",
      /\/wire\/(push-scan|push-request|push-item|ack-request|lease-ack-request|transaction-request|json|cbor|fields|body)\.ts:/,
    ],
    ["encode", /\/engine\/append\.ts:|\/(wire|engine)\/segment\.ts:/],
    ["decode", /\/engine\/(read|segment-cache)\.ts:/],
    ["driver", /\/workers\/storage\//],
    ["hand over", /\/workers\/worker\.ts:/],
    ["rules", /\/workers\//],
  ],
};

/** Stages in the order of a message's life. */
export const STAGES = [
  "receive",
  "route",
  "hand over",
  "parse and validate",
  "rules",
  "encode",
  "compress",
  "driver",
  "driver socket",
  "decompress",
  "decode",
  "render",
  "send",
  "runtime",
];

/** What a sampler of JavaScript wrote, as far as it is used here. */
export interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string }; children?: number[] }[];
  /** The innermost node of each sample. */
  samples: number[];
  /** Microseconds between samples. */
  timeDeltas: number[];
}

/** Samples of one thread, told apart. */
export interface StageSamples {
  /** Samples in all. */
  total: number;
  /** Samples by stage. */
  stages: Map<string, number>;
  /** Samples by innermost function, with its file. */
  functions: Map<string, number>;
}

/**
 * Counts the samples of a profile by stage.
 *
 * @param profile - Of one thread.
 * @param side - Which rules hold.
 * @returns What no rule knows is `runtime`: promises, timers, and streams of the runtime itself.
 */
export function countStages(profile: CpuProfile, side: Side): StageSamples {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id])));
  const counted: StageSamples = { total: profile.samples.length, stages: new Map(), functions: new Map() };
  for (const sample of profile.samples) {
    const frames: string[] = [];
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) {
      const { url, functionName } = nodes.get(id)!.callFrame;
      frames.push(`${url}:${functionName}`);
    }
    add(counted.stages, stageOf(frames, side));
    add(counted.functions, shorten(frames));
  }
  return counted;
}

/**
 * Finds the stage of a stack.
 *
 * @param frames - `<file>:<function>`, innermost first.
 * @param side - Which rules hold.
 * @returns One of {@link STAGES}.
 */
export function stageOf(frames: string[], side: Side): string {
  for (const frame of frames) {
    const rule = RULES[side].find(([, pattern]) => pattern.test(frame));
    if (rule !== undefined) return rule[0];
  }
  return "runtime";
}

/** The innermost function; a native one with who called it. */
function shorten(frames: string[]): string {
  const short = (frame: string) => frame.slice(frame.lastIndexOf("/") + 1);
  if (/:$/.test(frames[0] ?? ""))
    return `(unnamed) in ${short(frames.find((frame) => !frame.endsWith(":")) ?? "the runtime")}`;
  const own = frames.findIndex((frame) => frame.startsWith("file:") || frame.startsWith("/"));
  if (own <= 0) return short(frames[0] ?? "");
  return `${frames[0]!.split(":").at(-1)} in ${short(frames[own]!)}`;
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
