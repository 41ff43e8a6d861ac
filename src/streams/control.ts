import { ProtocolError } from "../errors.ts";
import type { ControlRequests, RequestHead, StatsAnswer, Verdict } from "./protocol.ts";
import type { StreamServer } from "./server.ts";

/** Answers a request of the agent. Throws ProtocolError on an unknown one. */
export async function answerControl(server: StreamServer, request: RequestHead): Promise<unknown> {
  switch (request.verb) {
    case "open": {
      const { streams } = request.ask as ControlRequests["open"]["ask"];
      await server.open(streams);
      return { damage: server.options.damage ?? [] };
    }
    case "verdict":
      return { suspects: await server.verdict(request.ask as Verdict) };
    case "stats": {
      const answer: StatsAnswer = {
        boot: server.options.boot,
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
    default:
      throw new ProtocolError("MR_PROTOCOL", `streams: no request is called ${JSON.stringify(request.verb)}`);
  }
}
