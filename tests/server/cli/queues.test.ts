/** Commands on queues and groups, as processes against a real server. */
import { describe, expect, test } from "bun:test";
import { queenOn } from "../../support/cli.ts";
import { uniqueName } from "../../support/names.ts";
import { useSharedServer } from "../../support/shared.ts";

const api = useSharedServer();
const q = queenOn(() => api.http.url);

describe("queen queues and queue", () => {
  test("make, change one option, show, clear, delete", async () => {
    const queue = uniqueName("cli");
    const made = await q("queue", "configure", queue, "--lease-time", "60", "--task", "t");
    expect(made.code).toBe(0);
    expect(made.out).toContain(`Configured ${queue}`);
    expect(made.out).not.toContain("ttl");
    const changed = await q("queue", "configure", queue, "--retention-enabled", "true", "--priority", "-3");
    expect(changed.out).toContain(`Changed ${queue}`);
    const show = async () => (await q("queue", "show", queue, "--json")).json.queue;
    expect(await show()).toMatchObject({
      task: "t",
      options: { leaseTime: 60, retentionEnabled: true, priority: -3, ttl: null, retryDelay: null },
    });
    await q("queue", "configure", queue, "--reset", "--ttl", "9");
    expect(await show()).toMatchObject({ task: "", options: { leaseTime: 300, ttl: 9 } });
    await api.pushAll(queue, "a", [1, 2]);
    await api.pushAll(queue, "b", [1]);
    const shown = await q("queue", "show", queue);
    expect(shown.code).toBe(0);
    expect(shown.out).toMatch(/pending +3\n[\s\S]*ttl +9 s\n[\s\S]*\na +2 +2/);
    expect((await q("queues")).out).toContain(queue);
    const listed = (await q("queues", "--json")).json.queues.find((row: { name: string }) => row.name === queue);
    expect(listed.messages.total).toBe(3);
    const refused = await q("queue", "clear", queue);
    expect(refused).toMatchObject({ code: 2, out: "" });
    expect(refused.err).toContain("Add --yes");
    expect((await q("queue", "clear", queue, "-p", "a", "--yes")).out).toBe(`2 messages deleted from ${queue}/a\n`);
    expect((await q("queue", "clear", queue, "--yes", "--json")).json).toMatchObject({ cleared: true, count: 1 });
    expect(await q("queue", "delete", queue, "--yes")).toMatchObject({ code: 0, out: `Deleted ${queue}\n` });
    for (const command of ["show", "clear", "delete"]) {
      const missing = await q("queue", command, queue, ...(command === "show" ? [] : ["--yes"]));
      expect(missing).toMatchObject({ code: 3, out: "", err: `queen: There is no queue ${queue}.\n` });
    }
  });

  test("what others named cannot steer a terminal", async () => {
    const queue = `${uniqueName("cli")}\u001b[31m`;
    await api.pushAll(queue, "p", [1]);
    const { out } = await q("queues");
    expect(out).toContain("\\u001b[31m");
    expect(out).not.toContain("\u001b");
    await q("queue", "delete", queue, "--yes");
  });
});

describe("queen groups, group and seek", () => {
  test("list, show, look at a seek, seek, forget", async () => {
    const [queue, group] = [uniqueName("cli"), uniqueName("g")];
    await api.pushAll(queue, "p", [1, 2, 3]);
    await api.pop(queue, { consumerGroup: group, autoAck: true });
    expect((await q("groups", "-q", queue)).out).toMatch(new RegExp(`\n${group} +${queue} +2 `));
    expect((await q("groups", "--queue", queue, "--json")).json).toMatchObject([{ name: group, pendingMessages: 2 }]);
    expect((await q("group", "show", group)).out).toMatch(/\np +2 /);
    expect((await q("group", "show", group, "--json")).json[queue].partitions).toMatchObject([{ offsetLag: 2 }]);
    const dry = await q("seek", queue, group, "--to-start", "--dry-run");
    expect(dry).toMatchObject({
      code: 0,
      out: "0 messages will be skipped and 1 delivered again, in 1 partition; 3 will be pending.\n",
    });
    expect((await q("groups", "-q", queue, "--json")).json[0].pendingMessages).toBe(2);
    expect((await q("seek", queue, group, "--to-end")).code).toBe(2);
    expect((await q("seek", queue, group, "--to-end", "--yes", "--json")).json).toMatchObject({
      partitionsUpdated: 1,
      skipped: 2,
      replayed: 0,
    });
    expect((await q("seek", queue, group, "--to", "1h", "--yes")).code).toBe(0);
    expect((await q("groups", "-q", queue, "--json")).json[0].pendingMessages).toBe(3);
    expect((await q("seek", queue, group, "--to-end", "-p", "p", "--yes")).out).toBe("Moved to the end of p\n");
    expect((await q("group", "delete", group, "--queue", queue, "--yes")).out).toBe(`Deleted ${group} with 1 cursor\n`);
    expect((await q("group", "delete", group, "--yes")).code).toBe(3);
    expect((await q("group", "show", group)).code).toBe(3);
    expect((await q("seek", queue, group, "--to-end", "--yes")).code).toBe(3);
  });

  test.each([
    [[], "Say where to"],
    [["--to-end", "--to-start"], "Say where to"],
    [["--to", "yesterday"], "Expected a time such as"],
    [["--to-start", "-p", "p"], "to the end only"],
  ])("seek %j is refused", async (args, error) => {
    const refused = await q("seek", "q", "g", ...args);
    expect(refused.code).toBe(2);
    expect(refused.err).toContain(error);
  });
});
