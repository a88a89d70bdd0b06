import type { z } from 'zod';
import type { SettingsOf, SettingsSchema } from '../../src/config/process-settings.ts';

/** The settings of one process as a test wants them, also beyond the bounds of their kinds; the others have defaults. */
export const settingsWith = <Schema extends SettingsSchema>(
  schema: Schema,
  values: Partial<z.output<Schema>>,
): SettingsOf =>
  ((asked: SettingsSchema) => {
    if (asked !== schema) throw new Error('the test gave no such settings');
    return { ...schema.parse({}), ...values };
  }) as SettingsOf;
