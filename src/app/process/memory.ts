/** How much memory outboxes may take, from what the machine or the container has. */
import { totalmem } from "node:os";

/** Share of all memory that outboxes may hold together before the largest of them is cut. */
const SLAB_SHARE = 0.25;

/** A container without a limit reports none, or a number beyond what the machine has. */
export function slabBudgetBytes(): number {
  const limit = process.constrainedMemory();
  const all = totalmem();
  return Math.floor((limit > 0 && limit < all ? limit : all) * SLAB_SHARE);
}
