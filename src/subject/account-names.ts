/** Names of the accounts that a server has without being told. */

/** The account of clients that belong to no other. */
export const GLOBAL_ACCOUNT = "$G";
export const SYSTEM_ACCOUNT = "$SYS";
