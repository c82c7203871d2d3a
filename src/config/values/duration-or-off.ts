/** A duration of a second and more, or none. */
import { isOff } from "./block.ts";
import { duration, type ValueType } from "./value-type.ts";

const atLeastASecond = duration({
  minMs: 1000,
  zero: "itself",
  bareNumber: "seconds",
});

/** null: off. */
export const durationOrOff: ValueType<number | null> = {
  ...atLeastASecond,
  fromNode(node, notes) {
    if (isOff(node) || (node.kind === "string" && node.value.toLowerCase() === "off")) return null;
    const ms = atLeastASecond.fromNode(node, notes);
    return ms === 0 ? null : ms;
  },
  show: (value) => (value === null ? "off" : atLeastASecond.show(value)),
};
