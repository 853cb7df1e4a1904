import { orAborted } from '../clock.ts';
import type { Call } from './transport.ts';

type Next = (args: unknown) => Promise<{ response: unknown }>;

/** The part of an SDK command's middleware stack that is used here; the SDK types it per command. */
interface MiddlewareStack {
  add(middleware: (next: Next) => Next, options: { step: 'deserialize'; priority: 'low'; name: string }): void;
}

/** A command of the AWS SDK, and how its client sends it. */
interface SdkCall<Output> {
  command: { middlewareStack: unknown };
  send(options: { abortSignal: AbortSignal }): Promise<Output>;
}

/** Goes through the AWS SDK. Client and command are made anew for each attempt. */
export function throughSdk<Output extends object>(make: () => SdkCall<Output>): Call<Output>['send'] {
  return async (abortSignal, course) => {
    const { command, send } = make();
    // Below the SDK's own deserializer, where answers to failed requests pass too.
    const watch = (next: Next) => async (args: unknown) => {
      const { hostname } = (args as { request: { hostname?: string } }).request;
      if (hostname !== undefined) course.to(hostname);
      course.sent();
      const result = await next(args);
      course.answered((result.response as { headers?: Record<string, string> }).headers?.date);
      return result;
    };
    const stack = command.middlewareStack as MiddlewareStack;
    stack.add(watch, { step: 'deserialize', priority: 'low', name: 'rolevendServerDate' });
    const output = await orAborted(send({ abortSignal }), abortSignal).catch((error: unknown) => {
      throw abortSignal.aborted ? abortSignal.reason : error;
    });
    const { requestId } = (output as { $metadata?: { requestId?: string } }).$metadata ?? {};
    return { output, requestId };
  };
}
