import type {
  Contract,
  Finding,
  HeaderContract,
  OperationContract,
  Report,
  ResponseContract,
  Schema,
} from './contract.ts';
import { createSchemaComparison } from './schemas.ts';

/**
 * Every change between a released document and the present one that breaks a caller of the released one. What callers
 * send may only become wider, what they get only narrower; names, permissions and problem codes stay.
 */
export function findBreakingChanges(released: Contract, present: Contract): readonly Finding[] {
  const findings: Finding[] = [];
  const report: Report = (rule, place, message) => findings.push({ rule, place, message });
  const compare = createSchemaComparison(released, present, report);
  for (const [path, methods] of Object.entries(released.paths)) {
    if (present.paths[path] === undefined) report('path-removed', path, 'the path is gone');
    else {
      for (const [method, before] of Object.entries(methods)) {
        const place = `${method.toUpperCase()} ${path}`;
        const now = present.paths[path][method];
        if (now === undefined) report('operation-removed', place, 'the operation is gone');
        else compareOperations({ place, before, now, released, present, report, compare });
      }
    }
  }
  compareCodes(codesIn(released), codesIn(present), 'problems', report);
  return findings;
}

interface Comparison {
  readonly place: string;
  readonly before: OperationContract;
  readonly now: OperationContract;
  readonly released: Contract;
  readonly present: Contract;
  readonly report: Report;
  readonly compare: ReturnType<typeof createSchemaComparison>;
}

function compareOperations(comparison: Comparison): void {
  const { place, before, now, report } = comparison;
  if (before.operationId !== now.operationId) {
    report('operation-id-changed', place, `${before.operationId} is now ${now.operationId}`);
  }
  if (before['x-permission'] !== now['x-permission']) {
    report('permission-changed', place, `${before['x-permission']} is now ${now['x-permission']}`);
  }
  if (hasHiddenParts(before) || hasHiddenParts(now)) {
    report('unknown-keyword', place, 'a part is a reference, which is not compared: teach scripts/released it');
    return;
  }
  compareParameters(comparison);
  compareBodies(comparison);
  compareAnswers(comparison);
  const codesOf = ({ responses }: OperationContract) =>
    Object.values(responses).flatMap((response) => response['x-problem-codes'] ?? []);
  compareCodes(codesOf(before), codesOf(now), place, report);
}

/** References are followed to schemas and headers alone. */
function hasHiddenParts({ parameters = [], requestBody, responses }: OperationContract): boolean {
  const parts = [...parameters, ...Object.values(responses), ...(requestBody === undefined ? [] : [requestBody])];
  return parts.some((part) => '$ref' in part);
}

function compareParameters({ place, before, now, report, compare }: Comparison): void {
  for (const parameter of now.parameters ?? []) {
    const { name, in: where, required, schema } = parameter;
    const known = before.parameters?.find((each) => each.name === name && each.in === where);
    if (required === true && known?.required !== true) {
      report('parameter-required', place, `${where} parameter ${name} is required now`);
    }
    if (known !== undefined) compare.sent(known.schema, schema, `${place} ${where} ${name}`);
  }
  for (const { name, in: where } of before.parameters ?? []) {
    const isKnown = now.parameters?.some((each) => each.name === name && each.in === where) === true;
    if (!isKnown) report('parameter-removed', place, `${where} parameter ${name} is gone`);
  }
}

function compareBodies({ place, before, now, report, compare }: Comparison): void {
  if (now.requestBody?.required === true && before.requestBody?.required !== true) {
    report('body-required', place, 'a body is required now');
  }
  for (const [mediaType, { schema }] of Object.entries(before.requestBody?.content ?? {})) {
    const accepted = now.requestBody?.content[mediaType];
    if (accepted === undefined) report('media-type-removed', `${place} body`, `${mediaType} is no longer accepted`);
    else compare.sent(schema, accepted.schema, `${place} body`);
  }
}

function compareAnswers({ place, before, now, released, present, report, compare }: Comparison): void {
  for (const [status, answer] of Object.entries(before.responses)) {
    const answerNow = now.responses[status];
    const where = `${place} ${status}`;
    if (answerNow === undefined) {
      report('status-removed', place, `${status} is no longer answered`);
      continue;
    }
    for (const [mediaType, { schema }] of Object.entries(answer.content ?? {})) {
      const given = answerNow.content?.[mediaType];
      if (given === undefined) report('media-type-removed', where, `${mediaType} is no longer given`);
      else compare.given(schema, given.schema, where);
    }
    compareHeaders({ answer, answerNow, where, released, present, report, compare });
  }
}

function compareHeaders({
  answer,
  answerNow,
  where,
  released,
  present,
  report,
  compare,
}: Pick<Comparison, 'released' | 'present' | 'report' | 'compare'> & {
  readonly answer: ResponseContract;
  readonly answerNow: ResponseContract;
  readonly where: string;
}): void {
  for (const [name, header] of Object.entries(answer.headers ?? {})) {
    const headerNow = answerNow.headers?.[name];
    if (headerNow === undefined) {
      report('header-removed', where, `the header ${name} is gone`);
      continue;
    }
    const [known, given] = [headerIn(released, header), headerIn(present, headerNow)];
    if (known.required === true && given.required !== true) {
      report('header-optional', where, `the header ${name} may be missing now`);
    }
    compare.given(known.schema ?? {}, given.schema ?? {}, `${where} ${name}`);
  }
}

function headerIn({ components }: Contract, header: HeaderContract): HeaderContract {
  if (header.$ref === undefined) return header;
  return components.headers?.[header.$ref.slice(header.$ref.lastIndexOf('/') + 1)] ?? {};
}

function compareCodes(before: readonly unknown[], now: readonly unknown[], place: string, report: Report): void {
  for (const code of new Set(before)) {
    if (!now.includes(code)) report('problem-code-removed', place, `the problem ${String(code)} is gone`);
  }
}

/** All codes that there are, also those that no operation lists. */
function codesIn({ components }: Contract): readonly unknown[] {
  const code: Schema | undefined = components.schemas?.['Problem']?.properties?.['code'];
  return code?.enum ?? [];
}
