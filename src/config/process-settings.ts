import type { z } from 'zod';
import { fileTwinOf, secretFile } from './kinds.ts';
import { describeSetting, type SettingDescription } from './settings.ts';

/** The settings of one owner by name, each a kind of `kinds.ts`: with a default, optional, or needed. */
export type SettingsSchema = z.ZodObject<Readonly<Record<string, z.ZodType<unknown, string | undefined>>>>;

/** What has settings: a process, in all its versions together, or a part of Portico such as its webhooks. */
export interface SettingsOwner {
  readonly name: string;
  readonly settings: SettingsSchema;
}

/** The values of a settings schema, the same ones at each call. Throws for a schema that no owner declares. */
export type SettingsOf = <Schema extends SettingsSchema>(schema: Schema) => z.output<Schema>;

/** One setting of an owner as the environment spells it. */
export interface ProcessSetting {
  /** The name within its schema: `approvalTimeout`. */
  readonly key: string;
  /** `PORTICO_TRANSFERS_APPROVAL_TIMEOUT`. */
  readonly variable: string;
  /** The variable that names a file instead. Only secrets have one. */
  readonly fileVariable: string | undefined;
  readonly kind: z.ZodType;
}

/** Every setting of the owners, once for all versions of a process that declare the same schema. */
export const settingsDeclaredBy = (owners: readonly SettingsOwner[]): readonly ProcessSetting[] =>
  schemasOf(owners).flatMap(declaredBy);

/** Every variable that sets one of these settings. */
export const variablesOf = (declared: readonly ProcessSetting[]): readonly string[] =>
  declared.flatMap(({ variable, fileVariable }) => (fileVariable === undefined ? variable : [fileVariable, variable]));

/** Reads the settings of the owners. Where `problems` has a line, `settingsOf` knows only the owners without one. */
export function parseProcessSettings(owners: readonly SettingsOwner[], given: Readonly<Record<string, string>>) {
  const values = new Map<SettingsSchema, unknown>();
  const problems: string[] = [];
  for (const owner of schemasOf(owners)) {
    const parsed = parseOwner(owner, given);
    if ('values' in parsed) values.set(owner.settings, Object.freeze(parsed.values));
    else problems.push(...parsed.problems);
  }
  const settingsOf: SettingsOf = (schema) => {
    if (!values.has(schema)) throw new Error('nobody declares these settings');
    // The values were parsed by this very schema.
    return values.get(schema) as z.output<typeof schema>;
  };
  return { problems, variables: variablesOf(settingsDeclaredBy(owners)), settingsOf };
}

/** Every setting of the owners, for `.env.example` and the documentation. */
export const describeProcessSettings = (owners: readonly SettingsOwner[]): readonly SettingDescription[] =>
  settingsDeclaredBy(owners).flatMap(({ variable, fileVariable, kind }) => [
    ...(fileVariable === undefined
      ? []
      : [
          { name: fileVariable, meaning: `A file with ${variable}, safer than the value itself.`, fallback: undefined },
        ]),
    describeSetting(variable, kind),
  ]);

const schemasOf = (owners: readonly SettingsOwner[]): readonly SettingsOwner[] =>
  owners.filter(
    (owner, index) =>
      owners.findIndex(({ name, settings }) => name === owner.name && settings === owner.settings) === index,
  );

const declaredBy = ({ name, settings }: SettingsOwner): ProcessSetting[] =>
  Object.entries(settings.shape).map(([key, kind]) => {
    const variable = variableOf(name, key);
    return { key, variable, fileVariable: fileTwinOf(kind) === undefined ? undefined : `${variable}_FILE`, kind };
  });

const variableOf = (processName: string, key: string): string =>
  `PORTICO_${processName}_${key.replaceAll(/[A-Z]/g, '_$&')}`.replaceAll('-', '_').toUpperCase();

function parseOwner(
  owner: SettingsOwner,
  given: Readonly<Record<string, string>>,
): { readonly values: unknown } | { readonly problems: readonly string[] } {
  const declared = declaredBy(owner);
  const sourceOf = ({ variable, fileVariable }: ProcessSetting) =>
    fileVariable !== undefined && given[fileVariable] !== undefined ? fileVariable : variable;
  const fromFiles = declared.filter((setting) => sourceOf(setting) !== setting.variable);
  const texts = Object.fromEntries(declared.map((setting) => [setting.key, given[sourceOf(setting)]]));
  const schema =
    fromFiles.length === 0
      ? owner.settings
      : owner.settings.safeExtend(
          Object.fromEntries(fromFiles.map(({ key, kind }) => [key, fileTwinOf(kind) ?? secretFile])),
        );
  const parsed = schema.safeParse(texts);
  const problems = [
    ...fromFiles
      .filter(({ variable }) => given[variable] !== undefined)
      .map(({ variable, fileVariable }) => `${fileVariable ?? ''} and ${variable} exclude each other: keep one`),
    ...(parsed.error?.issues ?? []).map(({ path: [key], message }) => {
      const setting = declared.find((candidate) => candidate.key === key);
      // A rule between settings has no path.
      if (setting === undefined) return `the settings ${variableOf(owner.name, '')} ${message}`;
      if (texts[setting.key] === undefined) return `${variablesOf([setting]).join(' or ')} is needed`;
      return `${sourceOf(setting)} ${message}`;
    }),
  ];
  return parsed.success && problems.length === 0 ? { values: parsed.data } : { problems };
}
