/**
 * A work queue: several workers share jobs; what fails is tried again; what keeps failing is set aside as a dead letter.
 *
 * One lease at a time per partition keeps order, so jobs that need no order are spread over partitions: there can be as
 * many workers at once as there are partitions.
 */
const server = process.env.QUEEN_URL ?? "http://localhost:6632";
const PARTITIONS = 8;
const JOBS = 40;

async function call(method: string, path: string, body?: object) {
  const answer = await fetch(server + path, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? { messages: [] } : answer.json();
}

type Job = { transactionId: string; partitionId: string; leaseId: string; data: { job: number } };
const attempts = new Map<number, number>();
const done = new Set<number>();
let deadLetters = 0;

/** Job 7 fails once, job 13 always. */
function work({ job }: Job["data"]): void {
  const attempt = (attempts.get(job) ?? 0) + 1;
  attempts.set(job, attempt);
  if (job === 13 || (job === 7 && attempt === 1)) throw new Error(`no luck with job ${job}`);
  done.add(job);
}

async function worker(): Promise<void> {
  while (done.size + deadLetters < JOBS) {
    const { messages } = await call("GET", "/api/v1/pop/queue/example-work?batch=5&wait=true&timeout=500");
    const acknowledgments = (messages as Job[]).map(({ data, ...lease }) => {
      try {
        work(data);
        return { ...lease, status: "completed" };
      } catch (error) {
        return { ...lease, status: "failed", error: String(error) };
      }
    });
    if (acknowledgments.length === 0) continue;
    const results: { dlq: boolean }[] = await call("POST", "/api/v1/ack/batch", { acknowledgments });
    deadLetters += results.filter(({ dlq }) => dlq).length;
  }
}

await call("DELETE", "/api/v1/resources/queues/example-work");
// Two attempts after the first one, and 30 seconds for a batch.
await call("POST", "/api/v1/configure", { queue: "example-work", options: { retryLimit: 2, leaseTime: 30 } });
const place = (job: number) => ({ queue: "example-work", partition: `p${job % PARTITIONS}` });
const items = Array.from({ length: JOBS }, (_, job) => ({ ...place(job), payload: { job } }));
await call("POST", "/api/v1/push", { items });
await Promise.all([worker(), worker(), worker()]);

const dead = (await call("GET", "/api/v1/dlq?queue=example-work")).messages;
console.log(`${done.size} jobs done, job 7 in ${attempts.get(7)} attempts`);
console.log(`dead letter: job ${dead[0].data.job} after ${attempts.get(13)} attempts: ${dead[0].errorMessage}`);

export {};
