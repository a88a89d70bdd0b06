import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { compileFunction } from 'node:vm';
import protobuf from 'protobufjs/light.js';

const require = createRequire(import.meta.url);
const file = '@temporalio/proto/protos/json-module.js';

interface Described {
  readonly nested?: Readonly<Record<string, Described>>;
}

/** The module of Temporal's messages with the needed types and those that they consist of; services stay. */
export function prunedMessages(isNeeded: (name: string) => boolean): string {
  const described = describedMessages();
  const kept = reachable(protobuf.Root.fromJSON(described), isNeeded);
  const pruned = prune(described, '', kept) ?? {};
  return `var $protobuf = require("protobufjs/light");
module.exports = ($protobuf.roots["__temporal"] || ($protobuf.roots["__temporal"] = new $protobuf.Root()))
.addJSON(JSON.parse(${JSON.stringify(JSON.stringify(pruned.nested))}));`;
}

/** What the module gives to protobufjs. */
function describedMessages(): Described {
  let nested: Described['nested'];
  const root = { addJSON: (json: Described['nested']) => (nested = json) };
  const fake = { roots: { __temporal: root } };
  const parameters = ['require', 'module'];
  const load = compileFunction(readFileSync(require.resolve(file), 'utf8'), parameters) as (
    require: () => unknown,
    module: object,
  ) => void;
  load(() => fake, {});
  if (nested === undefined) throw new Error(`${file} is not made as it was`);
  return { nested };
}

/** The full names of the needed types and of all that they consist of. */
function reachable(root: protobuf.Root, isNeeded: (name: string) => boolean): ReadonlySet<string> {
  root.resolveAll();
  const kept = new Set<protobuf.ReflectionObject>();
  const visit = (namespace: protobuf.NamespaceBase): void => {
    for (const each of namespace.nestedArray) {
      if (isNeeded(each.fullName.slice(1))) kept.add(each);
      if (each instanceof protobuf.Namespace) visit(each);
    }
  };
  visit(root);
  for (const each of kept) for (const part of partsOf(each)) kept.add(part);
  return new Set([...kept].map(({ fullName }) => fullName));
}

/** What a thing consists of: the types of fields, of requests and answers, and what it lies in. */
function partsOf(each: protobuf.ReflectionObject): readonly protobuf.ReflectionObject[] {
  const within = each.parent === null || each.parent instanceof protobuf.Root ? [] : [each.parent];
  const types =
    each instanceof protobuf.Type
      ? each.fieldsArray.map(({ resolvedType }) => resolvedType)
      : each instanceof protobuf.Service
        ? each.methodsArray.flatMap((method) => [method.resolvedRequestType, method.resolvedResponseType])
        : [];
  return [...within, ...types.filter((type) => type !== null)];
}

function prune(described: Described, name: string, kept: ReadonlySet<string>): Described | undefined {
  if (name !== '' && !kept.has(name)) return undefined;
  if (described.nested === undefined) return described;
  const nested = Object.entries(described.nested).flatMap(([key, value]) => {
    const pruned = prune(value, `${name}.${key}`, kept);
    return pruned === undefined ? [] : [[key, pruned] as const];
  });
  return { ...described, nested: Object.fromEntries(nested) };
}
