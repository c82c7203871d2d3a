/** Names of the accounts that a server has without being told. */

/** Of clients that belong to no other account. */
export const GLOBAL_ACCOUNT = "$G";
export const SYSTEM_ACCOUNT = "$SYS";
