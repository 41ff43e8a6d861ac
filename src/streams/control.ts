import { errorInfo, ProtocolError } from "../errors.ts";
import { recordKeys } from "../records/record-store.ts";
import { encodeMessage } from "../wire/message.ts";
import type { Peer } from "./peer.ts";
import {
  type ControlRequests,
  MESSAGE,
  type ReplyHead,
  type RequestHead,
  type StatsAnswer,
  type Verdict,
} from "./protocol.ts";
import type { StreamServer } from "./server.ts";

/** Answers a request of the agent. Throws ProtocolError on an unknown one. */
export async function answerControl(server: StreamServer, request: RequestHead): Promise<unknown> {
  switch (request.verb) {
    case "open": {
      const { streams, ...how } = request.ask as ControlRequests["open"]["ask"];
      await server.open(streams, how);
      return { damage: server.options.damage ?? [] };
    }
    case "close":
      await server.inputs.close((request.ask as ControlRequests["close"]["ask"]).stream);
      return {};
    case "retire":
      await server.engine.retire?.();
      return {};
    case "verdict":
      return { suspects: await server.verdict(request.ask as Verdict) };
    case "stats": {
      const { trouble } = server.notices;
      const answer: StatsAnswer = {
        boot: server.options.boot,
        ...(server.options.disk?.isLow === true && { disk: "low" as const }),
        ...(trouble && { trouble }),
        streams: server.report(),
        counts: Object.fromEntries(
          [...server.engine.counts()].map(([stage, counters]) => [stage, Object.fromEntries(counters)]),
        ),
      };
      return answer;
    }
    case "scan": {
      const { prefix, cursor, limit } = request.ask as ControlRequests["scan"]["ask"];
      const page = await server.engine.records.scan(prefix, cursor, limit);
      return {
        keys: page.entries.map((entry) => entry.key),
        values: page.entries.map((entry) => entry.value),
        ...(page.cursor === undefined ? {} : { cursor: page.cursor }),
      };
    }
    case "get": {
      const value = await server.engine.records.get((request.ask as ControlRequests["get"]["ask"]).key);
      return value === undefined ? {} : { value };
    }
    case "count": {
      const { prefix } = request.ask as ControlRequests["count"]["ask"];
      return { count: server.engine.records.count(prefix) } satisfies ControlRequests["count"]["answer"];
    }
    case "keys": {
      const { prefix, cursor, limit } = request.ask as ControlRequests["keys"]["ask"];
      const page = server.engine.records.keys(prefix, cursor, limit);
      return { keys: page.keys, ...(page.cursor === undefined ? {} : { cursor: page.cursor }) };
    }
    case "replay-letters": {
      const { stage, ids } = request.ask as ControlRequests["replay-letters"]["ask"];
      return await server.letters.replay(stage, ids);
    }
    case "drop-letters": {
      const { stage, ids } = request.ask as ControlRequests["drop-letters"]["ask"];
      return await server.letters.drop(stage, ids);
    }
    case "edit-letters": {
      const { stage, edits } = request.ask as ControlRequests["edit-letters"]["ask"];
      return await server.letters.edit(stage, edits);
    }
    default:
      throw new ProtocolError("MR_PROTOCOL", `streams: no request is called ${JSON.stringify(request.verb)}`);
  }
}

/** Whether an instance asks for records of its own stage, or for what is known of all streams. */
function isOwn(peer: Peer, { verb, ask }: RequestHead): boolean {
  const { key, prefix, stream } = ask as Readonly<Record<string, unknown>>;
  // A source with a door of its own knows when nothing more will come in.
  if (verb === "close") return peer.hello?.role === "push" && peer.hello.stage === stream;
  const asked = verb === "get" ? key : verb === "scan" ? prefix : undefined;
  if (verb === "stats") return peer.hello !== undefined;
  const own = recordKeys.ofStage(peer.hello?.stage ?? "");
  return peer.hello !== undefined && typeof asked === "string" && asked.startsWith(own);
}

/** Answers a request, or says what is wrong with it. */
export async function answerRequest(server: StreamServer, peer: Peer, request: RequestHead): Promise<void> {
  let reply: ReplyHead;
  try {
    if (peer.hello?.role !== "control" && !isOwn(peer, request)) {
      throw new ProtocolError(
        "MR_PROTOCOL",
        "stream connection: only a control connection may ask, beyond what a stage keeps for itself",
      );
    }
    reply = { id: request.id, answer: await answerControl(server, request) };
  } catch (error) {
    reply = { id: request.id, error: errorInfo(error) };
  }
  peer.send(encodeMessage(MESSAGE.reply, reply));
}
