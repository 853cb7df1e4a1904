/** Longest session, in seconds, that a role session may get of another role. Also what a role allows at least. */
export const ROLE_CHAINING_SECONDS = 3600;

/** Why a session is shorter than asked for: `Grant`, `RoleChaining` (it is made from another role session), `RoleMaximum`. */
export type ClampReason = 'Grant' | 'RoleChaining' | 'RoleMaximum';

export interface Clamp {
  reason: ClampReason;
  /** What the duration was shortened to. */
  seconds: number;
  /** What shortened it and the way out, for the condition `DurationClamped`. */
  message: string;
}

export interface DurationInput {
  /** Seconds that the object asks for. */
  requested: number;
  /** Seconds that the matching grants allow. Default: no limit. */
  grantSeconds?: number | undefined;
  /** Whether the operator's own identity is a role session. */
  isSession: boolean;
  /** Whether the role is reached through others. Default: false. */
  isChained?: boolean;
  /** Seconds to which STS limited this role at the object's present generation. Default: not known. */
  roleSeconds?: number | undefined;
}

const messages: Record<ClampReason, (seconds: number) => string> = {
  Grant: (seconds) =>
    `A RoleGrant allows sessions of at most ${seconds} s here: ask its owner to raise maxDurationSeconds.`,
  RoleChaining: (seconds) =>
    `The operator is itself a role session (EKS Pod Identity, IRSA or an assumed role), and AWS then grants at most ${seconds} s (role chaining). Longer sessions need auth.type: ServiceAccount (up to 12 h).`,
  RoleMaximum: (seconds) =>
    `STS refused the requested duration for this role, so ${seconds} s are used: raise the role's maximum session duration (aws iam update-role --max-session-duration) or lower spec.durationSeconds.`,
};

/** One clamp with its message. `isChained`: the role chaining is that of `spec.chain`. */
export function clampTo(reason: ClampReason, seconds: number, isChained = false): Clamp {
  const message = isChained && reason === 'RoleChaining' ? chained(seconds) : messages[reason](seconds);
  return { reason, seconds, message };
}

function chained(seconds: number): string {
  return `The role is reached through spec.chain, and AWS then grants at most ${seconds} s (role chaining). Longer sessions need a role that trusts the caller itself: without a chain, auth.type: ServiceAccount gives up to 12 h.`;
}

/** The duration to ask STS for, in seconds, and what shortened it, in the order in which it did. */
export function effectiveDuration(input: DurationInput): { seconds: number; clamps: Clamp[] } {
  const limits: [ClampReason, number | undefined][] = [
    // The grant comes after role chaining: what it does not change must not enter the input hash.
    ['RoleChaining', input.isSession || input.isChained ? ROLE_CHAINING_SECONDS : undefined],
    ['Grant', input.grantSeconds],
    ['RoleMaximum', input.roleSeconds],
  ];
  let seconds = input.requested;
  const clamps: Clamp[] = [];
  for (const [reason, limit] of limits) {
    if (limit === undefined || limit >= seconds) continue;
    seconds = limit;
    clamps.push(clampTo(reason, limit, input.isChained));
  }
  return { seconds, clamps };
}
