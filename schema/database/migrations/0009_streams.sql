CREATE SEQUENCE "queen"."stream_state_ids" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
CREATE TABLE "queen"."stream_cycles" (
	"queue_id" integer NOT NULL,
	"partition_id" bigint NOT NULL,
	"query_id" uuid NOT NULL,
	"cycle_id" uuid NOT NULL,
	"cycle_count" bigint DEFAULT 1 NOT NULL,
	"committed_at" timestamp (6) with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "stream_cycles_pkey" PRIMARY KEY("queue_id","partition_id","query_id")
);
--> statement-breakpoint
CREATE TABLE "queen"."stream_queries" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" varchar(255) NOT NULL,
	"source_queue" varchar(255) NOT NULL,
	"sink_queue" varchar(255),
	"config_hash" text NOT NULL,
	"state_id" bigint DEFAULT nextval('queen.stream_state_ids') NOT NULL,
	"created_at" timestamp (6) with time zone DEFAULT clock_timestamp() NOT NULL,
	"updated_at" timestamp (6) with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "queen"."stream_state" (
	"queue_id" integer NOT NULL,
	"state_id" bigint NOT NULL,
	"partition_id" bigint NOT NULL,
	"key" text NOT NULL,
	"value" text NOT NULL,
	"window_end" double precision,
	"updated_at" timestamp (6) with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "stream_state_pkey" PRIMARY KEY("queue_id","state_id","partition_id","key")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "stream_queries_name" ON "queen"."stream_queries" USING btree ("name");