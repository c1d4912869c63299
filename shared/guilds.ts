import { z } from 'zod';
import { example, GuildId } from './primitives.ts';

export const EraseGuild = z.strictObject({ guildId: GuildId }).meta({ examples: [{ guildId: example.guildId }] });
