/**
 * Permissions that come with tokens. Many clients have few different permissions, so equal ones are shared.
 *
 * Bounded: SHARED_MAX are remembered; the one that has not been used for longest is evicted.
 */
import { assert } from "../base/assert.ts";
import { Permissions, type UserPermissions } from "../core/permissions.ts";

const SHARED_MAX = 256;

export class SharedPermissions {
  private readonly byText = new Map<string, Permissions>();

  of(rules: UserPermissions): Permissions {
    const text = JSON.stringify(rules);
    const known = this.byText.get(text) ?? new Permissions(rules);
    this.byText.delete(text);
    this.byText.set(text, known);
    for (const [oldest] of this.byText) {
      if (this.byText.size <= SHARED_MAX) break;
      this.byText.delete(oldest);
    }
    assert(this.byText.size <= SHARED_MAX, "shared permissions stay within their bound");
    return known;
  }
}
