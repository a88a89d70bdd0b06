import { type ProcessSetting, settingsDeclaredBy, variablesOf } from '../config/process-settings.ts';
import { describeSetting, settings as ownSettings } from '../config/settings.ts';
import { settingsOwners } from '../config/settings-owners.ts';
import type { ProcessDefinition } from './definition.ts';

const camelCase = /^[a-z][a-z0-9]*([A-Z][a-z0-9]*)*$/;

const ours = [...Object.keys(ownSettings.shape), ...variablesOf(settingsDeclaredBy(settingsOwners))];

/** What is wrong with the settings that definitions declare, one sentence each. */
export function settingFaultsIn(catalog: readonly ProcessDefinition[]): string[] {
  const owners = catalog.filter(({ settings }) => Object.keys(settings.shape).length > 0);
  const declared = settingsDeclaredBy(owners);
  const variables = variablesOf(declared);
  const twice = new Set(variables.filter((variable, index) => variables.indexOf(variable) !== index));
  return [
    ...owners.flatMap((owner, index) => schemaFaultsOf(owner, owners.slice(0, index))),
    ...[...twice].map((variable) => `the setting ${variable} is declared twice`),
    ...variables
      .filter((variable) => ours.includes(variable))
      .map((variable) => `the setting ${variable} is one of Portico's own`),
    ...declared.flatMap(faultsOf),
  ];
}

/** Values are found by their schema, so a schema belongs to one process, and a process has one. */
const schemaFaultsOf = ({ name, version, settings }: ProcessDefinition, earlier: readonly ProcessDefinition[]) => [
  ...(earlier.some((other) => other.name === name && other.settings !== settings)
    ? [`process ${name} version ${version}: another version declares other settings`]
    : []),
  ...earlier
    .filter((other) => other.name !== name && other.settings === settings)
    .map((other) => `process ${name} version ${version}: its settings are those of ${other.name}`),
];

function faultsOf({ key, variable, fileVariable, kind }: ProcessSetting): string[] {
  const { meaning, fallback } = describeSetting(variable, kind);
  return [
    ...(camelCase.test(key) ? [] : [`the setting ${key} is not in camelCase`]),
    ...(meaning === '' ? [`the setting ${variable} does not say what it means`] : []),
    ...(fileVariable !== undefined && fallback !== undefined ? [`the secret ${variable} has a default`] : []),
  ];
}
