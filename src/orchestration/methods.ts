import proto from '@temporalio/proto';

/** A method of Temporal's services: where it is, and how its messages are written. */
export interface Method<Request, Response> {
  /** `/{service}/{method}`. */
  readonly path: string;
  readonly encode: (request: Request) => Uint8Array;
  readonly decode: (message: Uint8Array) => Response;
}

interface MessageType<Message, Properties> {
  encode(message: Properties): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Message;
}

const methodOf = <Request, Response>(
  path: string,
  request: MessageType<unknown, Request>,
  response: MessageType<Response, never>,
): Method<Request, Response> => ({
  path,
  encode: (message) => request.encode(message).finish(),
  decode: (bytes) => response.decode(bytes),
});

const workflows = proto.temporal.api.workflowservice.v1;
const workflowPath = '/temporal.api.workflowservice.v1.WorkflowService';
const health = proto.grpc.health.v1;

/** The methods that are called most, and those of schedules. Others are called as the SDK's services offer them. */
export const methods = {
  startWorkflow: methodOf(
    `${workflowPath}/StartWorkflowExecution`,
    workflows.StartWorkflowExecutionRequest,
    workflows.StartWorkflowExecutionResponse,
  ),
  describeWorkflow: methodOf(
    `${workflowPath}/DescribeWorkflowExecution`,
    workflows.DescribeWorkflowExecutionRequest,
    workflows.DescribeWorkflowExecutionResponse,
  ),
  getHistory: methodOf(
    `${workflowPath}/GetWorkflowExecutionHistory`,
    workflows.GetWorkflowExecutionHistoryRequest,
    workflows.GetWorkflowExecutionHistoryResponse,
  ),
  createSchedule: methodOf(
    `${workflowPath}/CreateSchedule`,
    workflows.CreateScheduleRequest,
    workflows.CreateScheduleResponse,
  ),
  describeSchedule: methodOf(
    `${workflowPath}/DescribeSchedule`,
    workflows.DescribeScheduleRequest,
    workflows.DescribeScheduleResponse,
  ),
  updateSchedule: methodOf(
    `${workflowPath}/UpdateSchedule`,
    workflows.UpdateScheduleRequest,
    workflows.UpdateScheduleResponse,
  ),
  patchSchedule: methodOf(
    `${workflowPath}/PatchSchedule`,
    workflows.PatchScheduleRequest,
    workflows.PatchScheduleResponse,
  ),
  deleteSchedule: methodOf(
    `${workflowPath}/DeleteSchedule`,
    workflows.DeleteScheduleRequest,
    workflows.DeleteScheduleResponse,
  ),
  listSchedules: methodOf(
    `${workflowPath}/ListSchedules`,
    workflows.ListSchedulesRequest,
    workflows.ListSchedulesResponse,
  ),
  checkHealth: methodOf('/grpc.health.v1.Health/Check', health.HealthCheckRequest, health.HealthCheckResponse),
};
