import { describe, expect, test } from "bun:test";
import { EventRelay } from "../../../server/pool/event-relay.ts";
import type { RouterMessage } from "../../../workers/protocol.ts";

function relayOf(count: number) {
  const told: RouterMessage[][] = Array.from({ length: count }, () => []);
  const workers = told.map((messages) => ({ post: (message: RouterMessage) => void messages.push(message) }));
  return { relay: new EventRelay(() => workers), told, workers };
}

const batch = { events: [], dropped: 1, created: 0, completed: 0 };

describe("EventRelay", () => {
  test("tells every worker when somebody begins and ends to listen", () => {
    const { relay, told } = relayOf(2);
    relay.listen(() => {});
    relay.listen(null);
    for (const messages of told) {
      expect(messages).toEqual([
        { kind: "listen", here: true, elsewhere: false },
        { kind: "listen", here: false, elsewhere: false },
      ]);
    }
  });

  test("tells a worker that starts, if there is something to tell", () => {
    const { relay, told, workers } = relayOf(1);
    relay.started(workers[0]!);
    expect(told[0]).toEqual([]);
    relay.listen(() => {});
    told[0]!.length = 0;
    relay.started(workers[0]!);
    expect(told[0]).toEqual([{ kind: "listen", here: true, elsewhere: false }]);
  });

  test("hands events to its listener, and those made here to worker 0 while somebody listens elsewhere", () => {
    const { relay, told } = relayOf(2);
    const heard: unknown[] = [];
    relay.take({ kind: "events", batch, remote: false });
    relay.take({ kind: "listeners", elsewhere: true });
    relay.take({ kind: "listeners", elsewhere: true });
    expect(told[1]).toEqual([{ kind: "listen", here: false, elsewhere: true }]);
    relay.take({ kind: "events", batch, remote: false });
    expect(told[0]!.at(-1)).toEqual({ kind: "publish", batch });
    relay.listen((events) => heard.push(events));
    told[0]!.length = 0;
    relay.take({ kind: "events", batch, remote: true });
    expect(heard).toEqual([batch]);
    expect(told[0]).toEqual([]);
  });
});
