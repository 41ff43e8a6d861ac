/** The stage of a stream: `STAGE` or, for one of its lanes, `STAGE~LANE`. */
export function stageOf(stream: string): string {
  const lane = stream.indexOf("~");
  return lane === -1 ? stream : stream.slice(0, lane);
}
