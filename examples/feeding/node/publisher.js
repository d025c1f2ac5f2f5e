// Metric events to modelvigil's monitors over the plain Temporal SDK: copy this file.
//
// Each serving process has one Publisher. It collects events and sends those of a
// model as one signal, because a monitor takes about 5 signals a second.
import { isGrpcServiceError, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';

const MAX_BATCH = 1_000; // events of a signal: a monitor reads 10,000, the server takes 2 MB
const MAX_WAITING = 100_000; // events of a model while the server is away
// CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE
const PASSING = new Set([1, 2, 4, 8, 10, 13, 14]);

/** The id of a model's monitor; bytes outside 0x21..0x7E, and %, are percent-encoded. */
export const workflowId = (model) => 'model-monitor/' + model.replace(/[^!-~]|%/gu, encodeURIComponent);

/** An operator has stopped the model's monitor; only `modelvigil apply` starts it anew. */
export class MonitorStopped extends Error {}

/** Too many events wait for a server that is away. */
export class BufferFull extends Error {}

/** Sends a model's events at most once per `interval` milliseconds: with n processes
 * that serve one model, n * 200 or more. */
export class Publisher {
  #client; #interval; #taskQueue; #timer;
  #waiting = new Map(); // events by model
  #failures = []; // that the next flush throws
  #turn = Promise.resolve(); // the last round, and whatever waits behind it
  #next = 0; // when the next signals may go

  constructor(client, { interval = 1_000, taskQueue = 'model-monitor' } = {}) {
    this.#client = client; this.#interval = interval; this.#taskQueue = taskQueue;
    this.#timer = setInterval(() => this.#sendAll(), interval);
    this.#timer.unref();
  }

  /** Takes an event, which is sent within the interval. Throws what makes no sense of it,
   * and BufferFull. */
  publish(event) {
    const readings = [event.accuracy, event.latency_ms, event.drift_score, ...Object.values(event.metrics ?? {})];
    const wrong = readings.find((value) => value !== undefined && !Number.isFinite(value)); // JSON would make NaN null, which is not measured
    if (wrong !== undefined) throw new RangeError(`a reading must be a finite number or left out, got ${wrong}`);
    const waiting = this.#waiting.get(event.model_name) ?? [];
    if (waiting.length >= MAX_WAITING) throw new BufferFull(`${waiting.length} events of ${event.model_name} wait to be sent`);
    waiting.push({ timestamp: new Date().toISOString(), ...event });
    this.#waiting.set(event.model_name, waiting);
  }

  /** Returns when all that was published is durable, or throws why some of it is lost. A
   * server that is away is waited for. */
  async flush() {
    while (this.#waiting.size > 0) await this.#sendAll();
    const [failure] = this.#failures.splice(0);
    if (failure) throw failure;
  }

  /** Flushes, and ends the timer. */
  async close() {
    try { await this.flush(); } finally { clearInterval(this.#timer); }
  }

  #sendAll() { // one signal a model at a time keeps the order
    return (this.#turn = this.#turn.then(async () => {
      await sleep(this.#next - Date.now());
      this.#next = Date.now() + this.#interval;
      await Promise.all([...this.#waiting.keys()].map((model) => this.#send(model)));
    }));
  }

  async #send(model) {
    const waiting = this.#waiting.get(model);
    const batch = waiting.slice(0, MAX_BATCH);
    try {
      await this.#client.withDeadline(Date.now() + 10_000, () =>
        this.#client.workflow.signalWithStart('MonitorWorkflow', {
          args: [{ model_name: model }], workflowId: workflowId(model), taskQueue: this.#taskQueue,
          workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
          signal: 'metric', signalArgs: [batch], staticSummary: `Watches model ${model.slice(0, 60)}`,
        }));
    } catch (error) {
      const cause = isGrpcServiceError(error) ? error : error.cause;
      if (PASSING.has(cause?.code) || /workflow execution limit for signal/.test(cause?.message)) {
        // A signal whose answer was lost is sent again, and may count twice.
        console.warn(`${waiting.length} events of ${model} wait: ${cause.message}`);
        return;
      }
      const stopped = error instanceof WorkflowExecutionAlreadyStartedError;
      const failure = stopped ? new MonitorStopped(`monitor stopped: ${model}; \`modelvigil apply\` starts it anew`) : error;
      console.error(`${batch.length} events of ${model} are lost: ${failure.message}`);
      this.#failures.push(failure);
    }
    waiting.splice(0, batch.length);
    if (waiting.length === 0) this.#waiting.delete(model);
  }
}
