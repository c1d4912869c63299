import type { Eligibility } from '@counterfoil/shared/eligibility';
import { findBlock } from '../blocks/model.ts';
import { cooldownEnd, countOpen, type Place, settingsOf } from './limits.ts';

/** Whether a create would be let through, and what stands in its way; it may change until the create comes. */
export async function checkEligibility(place: Place): Promise<Eligibility> {
  const [settings, block, openCount] = await Promise.all([settingsOf(place), findBlock(place), countOpen(place)]);
  const limit = settings?.maxOpenPerOwner ?? null;
  const cooldownEndsAt = await cooldownEnd(place, settings);
  const reasons: Eligibility['reasons'] = [];
  if (block) reasons.push('owner_blocked');
  if (limit !== null && openCount >= limit) reasons.push('owner_limit_reached');
  if (cooldownEndsAt) reasons.push('cooldown');
  return {
    eligible: reasons.length === 0,
    reasons,
    openCount,
    limit,
    cooldownEndsAt: cooldownEndsAt?.toISOString() ?? null,
    channelId: settings?.channelId ?? null,
  };
}
