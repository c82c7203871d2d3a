/**
 * A map that knows its oldest entry without looking for it. An iterator over a map begins at its first entry, and walks over all
 * that were deleted there: where the oldest goes whenever a new one comes, that is a walk over tens of thousands for each.
 */
export class OldestFirst<K, V extends object> extends Map<K, V> {
  private walk: MapIterator<[K, V]> | null = null;
  private head: readonly [K, V] | null = null;

  /** An entry that is set again keeps its place if it was not deleted before. null: there is none. */
  oldest(): readonly [K, V] | null {
    while (this.size > 0) {
      if (this.head !== null && this.get(this.head[0]) === this.head[1]) return this.head;
      this.walk ??= this.entries();
      const next = this.walk.next();
      this.head = next.done === true ? null : next.value;
      if (next.done === true) this.walk = null; // it never goes on, whatever is added
    }
    this.walk = this.head = null;
    return null;
  }

  override clear(): void {
    super.clear();
    this.walk = this.head = null;
  }
}
