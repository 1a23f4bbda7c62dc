/**
 * What happens to messages, as those who watch are told. Nothing of it is made unless somebody does.
 *
 * @module
 */

/** One thing that happened. */
export interface DashboardEvent {
  event: string;
  data: Record<string, unknown>;
  /** ISO 8601. */
  timestamp: string;
}

/** What a worker or another instance tells at a time. */
export interface EventBatch {
  events: DashboardEvent[];
  /** Events that happened, too, and were too many to tell. */
  dropped: number;
  /** Messages stored and completed meanwhile, those of dropped events among them. */
  created: number;
  completed: number;
}

/** Operations that only those who watch cause. */
export interface DashboardOperations {
  /** Depths of the next queues behind one. */
  dashboardDepths: { afterQueueId: number };
  dashboardTotals: Record<string, never>;
}
