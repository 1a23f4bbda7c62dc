/** Profiles: how samples are told apart, and one tiny run of the whole. */

import { describe, expect, test } from "bun:test";
import { allScenarios } from "../scenarios/all.ts";
import { countScript } from "./perf.ts";
import { type Profile, profileScenario } from "./profile.ts";
import { profileText, stageCosts } from "./report.ts";
import { countStages, STAGES, stageOf } from "./stages.ts";
import { summaryText } from "./summary.ts";

describe("stages", () => {
  test("are decided by the innermost frame that is known", () => {
    const compress = [":writeSync", "node:zlib:zlibBufferSync", "file:///q/workers/engine/segment.ts:packBody"];
    expect(stageOf(compress, "workers")).toBe("compress");
    const parse = [":decode", "file:///q/schema/wire/json.ts:decodeText", "file:///q/workers/worker.ts:push"];
    expect(stageOf(parse, "workers")).toBe("parse and validate");
    const render = [":join", "file:///q/schema/wire/pop-answer.ts:renderPop", "file:///q/workers/engine/pop.ts:pop"];
    expect(stageOf(render, "workers")).toBe("render");
    const send = [":write", "file:///q/server/http/stream.ts:send"];
    expect(stageOf(send, "router")).toBe("send");
    expect(stageOf([":processTicksAndRejections"], "workers")).toBe("runtime");
  });

  test("count every sample once, natives under who called them", () => {
    const frame = (functionName: string, url: string) => ({ functionName, url });
    const profile = {
      nodes: [
        { id: 1, callFrame: frame("(root)", ""), children: [2] },
        { id: 2, callFrame: frame("packBody", "file:///q/workers/engine/segment.ts"), children: [3] },
        { id: 3, callFrame: frame("writeSync", "") },
      ],
      samples: [3, 3, 2, 1],
      timeDeltas: [0, 1000, 1000, 1000],
    };
    const counted = countStages(profile, "workers");
    expect(counted.total).toBe(4);
    expect([...counted.stages]).toEqual([
      ["compress", 3],
      ["runtime", 1],
    ]);
    expect(counted.functions.get("writeSync in segment.ts:packBody")).toBe(2);
  });
});

test("perf's stacks are told apart by system call and by kind of work", () => {
  const script = `
 10/11
	ffffffff81 copy_page+0x1 ([kernel.kallsyms])
	ffffffff82 exc_page_fault+0x1 ([kernel.kallsyms])
	    7f0001 [unknown] (/usr/bin/bun)

 10/11
	    7f0002 [unknown] ([JIT] tid 10)

 20/20
	ffffffff83 ext4_sync_file+0x1 ([kernel.kallsyms])
	ffffffff84 __x64_sys_fdatasync+0x1 ([kernel.kallsyms])

 20/20
	    55d001 XLogInsertRecord+0x20 (/pg/bin/postgres)

 99/99
	    55d001 main+0x20 (/bin/true)
`;
  const groups = countScript(script, (pid) => (pid === 10 ? "workers" : pid === 20 ? "postgres" : null));
  expect(groups.get("workers")?.shares).toEqual([
    ["kernel: page faults", 0.5],
    ["user: compiled JavaScript", 0.5],
  ]);
  expect(groups.get("postgres")?.shares).toEqual([
    ["kernel: flush to disk", 0.5],
    ["WAL", 0.5],
  ]);
  expect(groups.get("postgres")?.functions).toEqual([["XLogInsertRecord in postgres", 0.5]]);
  expect(groups.size).toBe(2);
});

test.if(process.platform === "linux")(
  "a scenario is profiled: threads, statements and sessions",
  async () => {
    const scenario = allScenarios.find(({ name }) => name === "push-1")!;
    const profile: Profile = await profileScenario(scenario, { size: "tiny", seconds: 5, seed: 1 });
    expect(profile.javaScript.workers.total).toBeGreaterThan(0);
    for (const side of ["router", "workers"] as const) {
      expect([...profile.javaScript[side].stages.keys()].filter((stage) => !STAGES.includes(stage))).toEqual([]);
      const sum = stageCosts(profile, side).reduce((total, [, us]) => total + us, 0);
      expect(sum).toBeCloseTo(profile.plain.cpuUs![side], 6);
    }
    const append = profile.database.statements.find(({ top, text }) => top && text.includes("segment_append"));
    expect(append!.calls).toBeGreaterThan(0);
    expect(profile.database.statements.some(({ top }) => !top)).toBe(true);
    expect(profile.database.wal.bytes).toBeGreaterThan(0);
    expect(profile.backends.get("push")).toBeGreaterThan(0);
    const text = profileText(profile);
    expect(text).toContain("parse and validate");
    expect(text).toContain("PostgreSQL, by session");
    const all = /\*\*all\*\* \| ([\d.,]+) \|/.exec(summaryText([profile]))?.[1];
    const { router, workers, helpers, postgres } = profile.plain.cpuUs!;
    const wanted = router + workers + helpers + postgres;
    expect(Math.abs(Number(all!.replaceAll(",", "")) / wanted - 1)).toBeLessThan(0.06);
  },
  90_000,
);
