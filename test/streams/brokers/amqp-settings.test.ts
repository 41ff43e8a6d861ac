import { expect, test } from "vitest";
import { amqpSettings } from "../../../src/streams/brokers/amqp-settings.ts";

test.each(["amqp://u:hid%den@a", "amqp://u%zz:hidden@a"])(
  "%s: a percent sign that stands alone is refused in plain words, and the password not told",
  (url) => {
    expect(() => amqpSettings(url, {})).toThrow(
      expect.objectContaining({ code: "MR_BAD_OPTION", message: expect.stringContaining("write it as %25") }),
    );
    expect(() => amqpSettings(url, {})).not.toThrow("den");
  },
);
