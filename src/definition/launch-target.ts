import type { z } from 'zod';
import { Problem, type ProblemError } from '../problems.ts';
import { type Asker, permissionOf, type ProcessDefinition } from './definition.ts';
import { businessKey } from './fields.ts';

/** An instance that something other than a caller is going to start: a schedule or a delayed task. */
export interface LaunchTarget {
  /** The name of a process of the catalog. */
  readonly process: string;
  /** The version of its contract; the newest where none is given. */
  readonly version?: number | undefined;
  /** The body of the start. Its key field may be left out. */
  readonly input: unknown;
  /** The business key, unless the input names one itself. */
  readonly key: string;
}

/** A target that the present catalog can start. */
interface Launchable {
  readonly definition: ProcessDefinition;
  /** The body with its key, before defaults: what the fingerprint is made of. */
  readonly body: unknown;
  /** The same body with defaults. */
  readonly input: Readonly<Record<string, unknown>>;
  /** The business key as the start would name it. The id of the instance is its digest where the process hashes keys. */
  readonly key: string;
}

type Permissions = Asker['permissions'];

interface Place {
  /** The RFC 6901 pointer to the target within the caller's body, for the errors of a Problem. */
  readonly at?: string | undefined;
}

/**
 * Judges a target when it is asked for. Throws `forbidden` unless the caller may start the process, and `invalid-request`
 * where the process is not in the catalog or the input, with the key in its place, does not fit.
 */
export function checkLaunch(
  catalog: readonly ProcessDefinition[],
  asked: LaunchTarget & Place & { readonly permissions: Permissions },
): Launchable {
  const definition = definitionOf(catalog, asked);
  checkMayStart(definition, asked.permissions);
  return launchableOf(catalog, asked);
}

/** Throws `forbidden` unless the permissions allow to start the process. */
export function checkMayStart(definition: ProcessDefinition, permissions: Permissions): void {
  if (permissions.has(permissionOf(definition, 'start'))) return;
  throw new Problem('forbidden', { detail: 'The token lacks the permission to start the process that is named.' });
}

/** The target as a start takes it. Throws `invalid-request` and `invalid-key` as {@link checkLaunch} does. */
export function launchableOf(catalog: readonly ProcessDefinition[], asked: LaunchTarget & Place): Launchable {
  const { at = '' } = asked;
  const definition = definitionOf(catalog, asked);
  const body = bodyOf(definition, asked);
  const parsed = definition.input.safeParse(body);
  if (!parsed.success) {
    throw refused(parsed.error.issues.flatMap((issue) => errorsOf(`${at}/input`, issue)).slice(0, maxErrors));
  }
  const key = definition.key.from === 'body' ? parsed.data[definition.key.field] : asked.key;
  if (typeof key !== 'string' || (definition.key.hashed !== true && !businessKey.safeParse(key).success)) {
    throw new Problem('invalid-key');
  }
  return { definition, body, input: parsed.data, key };
}

/** The definition of that name and version. Throws `invalid-request` where the catalog has none. */
export function definitionOf(
  catalog: readonly ProcessDefinition[],
  { process: name, version, at = '' }: Pick<LaunchTarget, 'process' | 'version'> & Place,
): ProcessDefinition {
  const [newest] = catalog
    .filter((each) => each.name === name && (version === undefined || each.version === version))
    .toSorted((one, other) => other.version - one.version);
  if (newest === undefined) throw refused([{ pointer: `${at}/process`, message: 'is no process that can be started' }]);
  return newest;
}

const maxErrors = 20;

const refused = (errors: readonly ProblemError[]): Problem =>
  new Problem('invalid-request', {
    detail: 'The process to start does not fit. Each error points to its place.',
    errors,
  });

/** Anything but an object is left as it is, for the schema to refuse. */
function bodyOf({ key }: ProcessDefinition, asked: LaunchTarget): unknown {
  const { input } = asked;
  if (key.from !== 'body' || typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  return key.field in input ? input : { ...input, [key.field]: asked.key };
}

function errorsOf(at: string, issue: z.core.$ZodIssue): ProblemError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ pointer: at + pointerOf([...issue.path, key]), message: 'is not known here' }));
  }
  return [{ pointer: at + pointerOf(issue.path), message: issue.message }];
}

const pointerOf = (path: readonly PropertyKey[]): string =>
  path.map((name) => `/${String(name).slice(0, 128).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
