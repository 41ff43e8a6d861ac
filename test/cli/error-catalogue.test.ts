import { expect, test } from "vitest";
import { errorCatalogue, errorEntry } from "../../src/cli/error-catalogue.ts";
import { ERROR_CODES, MillraceError } from "../../src/errors.ts";

const catalogue = errorCatalogue();

test("the catalogue has every code, with what it means, what to do and an example", () => {
  expect(catalogue.map(({ code }) => code).sort()).toEqual(Object.keys(ERROR_CODES).sort());
  const unfinished = catalogue.filter(({ group, meaning, remedy, example }) =>
    [group, meaning, remedy, example].some((text) => text === "" || text.includes("**")),
  );
  expect(unfinished).toEqual([]);
});

test.each(["MR_NO_SINK", "mr_no_sink", "no-sink", " No_Sink "])("%j is found", (given) => {
  expect(errorEntry(catalogue, given).code).toBe("MR_NO_SINK");
});

test.each([
  ["MR_NO_SINKS", /did you mean MR_NO_SINK\?$/],
  ["MR_BAD_PARAM", /did you mean MR_BAD_PARAMS\b.*\?$/],
  ["MR_DATA_LOKCED", /did you mean MR_DATA_LOCKED\?$/],
  ["x", /lists them all$/],
])("%s is not there, and what is like it is suggested", (given, advice) => {
  const failure = (): unknown => errorEntry(catalogue, given);
  expect(failure).toThrow(MillraceError);
  expect(failure).toThrow(advice);
});
