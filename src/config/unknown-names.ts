import { nearestName } from './nearest-name.ts';

/** Settings that have another name now. docs/upgrade.md names them too. */
export const replacedNames: Readonly<Record<string, string>> = {
  PORTICO_APPROVAL_LIMIT_MINOR: 'PORTICO_TRANSFERS_APPROVAL_LIMITS',
  PORTICO_TRANSFERS_APPROVAL_LIMIT_MINOR: 'PORTICO_TRANSFERS_APPROVAL_LIMITS',
  PORTICO_APPROVAL_TIMEOUT: 'PORTICO_TRANSFERS_APPROVAL_TIMEOUT',
};

/** A sentence for each `PORTICO_` name that is given and not known: what it is called now, or what may be meant. */
export const unknownNamesIn = (given: Readonly<Record<string, string>>, known: readonly string[]): string[] =>
  Object.keys(given)
    .filter((name) => name.startsWith('PORTICO_') && !known.includes(name))
    .map((name) => {
      const replacement = replacedNames[name];
      if (replacement !== undefined) return `${name} is now ${replacement}`;
      const nearest = nearestName(name, known);
      return `${name} is no setting of Portico${nearest === undefined ? '' : `; did you mean ${nearest}?`}`;
    });
