CREATE SCHEMA IF NOT EXISTS "queen";
--> statement-breakpoint
CREATE SEQUENCE "queen"."partition_ids" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 32;--> statement-breakpoint
CREATE TABLE "queen"."consumer_groups" (
	"queue_id" integer NOT NULL,
	"id" integer GENERATED ALWAYS AS IDENTITY (sequence name "queen"."consumer_groups_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"name" varchar(255) NOT NULL,
	"subscription_mode" text,
	"subscribed_from" timestamp (6) with time zone,
	"active" boolean DEFAULT true NOT NULL,
	"filled_to" bigint,
	"created_at" timestamp (6) with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "consumer_groups_pkey" PRIMARY KEY("queue_id","id")
);
--> statement-breakpoint
CREATE TABLE "queen"."cursors" (
	"queue_id" integer NOT NULL,
	"partition_id" bigint NOT NULL,
	"group_id" integer NOT NULL,
	"next_offset" bigint NOT NULL,
	"ready_at" timestamp (6) with time zone NOT NULL,
	"lease_id" uuid,
	"lease_expires_at" timestamp (6) with time zone,
	"lease_first" bigint,
	"lease_end" bigint,
	"resolved" "int8multirange",
	"has_retries" boolean DEFAULT false NOT NULL,
	"consumed_count" bigint DEFAULT 0 NOT NULL,
	"batch_count" bigint DEFAULT 0 NOT NULL,
	"consumed_at" timestamp (6) with time zone,
	"generation" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "cursors_pkey" PRIMARY KEY("queue_id","partition_id","group_id","generation")
);
--> statement-breakpoint
CREATE TABLE "queen"."dead_letters" (
	"queue_id" integer NOT NULL,
	"partition_id" bigint NOT NULL,
	"group_id" integer NOT NULL,
	"message_offset" bigint NOT NULL,
	"error" text NOT NULL,
	"failure_count" integer NOT NULL,
	"failed_at" timestamp (6) with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "dead_letters_pkey" PRIMARY KEY("queue_id","partition_id","group_id","message_offset")
);
--> statement-breakpoint
CREATE TABLE "queen"."partitions" (
	"queue_id" integer NOT NULL,
	"id" bigint DEFAULT nextval('queen.partition_ids') NOT NULL,
	"name" varchar(255) NOT NULL,
	"head" bigint DEFAULT 0 NOT NULL,
	"tail" bigint DEFAULT 0 NOT NULL,
	"tx_high" uuid,
	"epoch" integer DEFAULT 0 NOT NULL,
	"tombstone_count" integer DEFAULT 0 NOT NULL,
	"pushed_at" timestamp (6) with time zone,
	"created_at" timestamp (6) with time zone DEFAULT clock_timestamp() NOT NULL,
	"generation" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "partitions_pkey" PRIMARY KEY("queue_id","id","generation")
);
--> statement-breakpoint
CREATE TABLE "queen"."purges" (
	"queue_id" integer PRIMARY KEY NOT NULL,
	"deleted_at" timestamp (6) with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "queen"."queues" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "queen"."queues_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"name" varchar(255) NOT NULL,
	"namespace" varchar(255) DEFAULT '' NOT NULL,
	"task" varchar(255) DEFAULT '' NOT NULL,
	"config_version" integer DEFAULT 1 NOT NULL,
	"lease_time_s" integer DEFAULT 300 NOT NULL,
	"retry_limit" integer DEFAULT 3 NOT NULL,
	"retry_delay_ms" integer,
	"max_size" integer DEFAULT 0 NOT NULL,
	"ttl_s" integer,
	"dead_letter_queue" boolean DEFAULT false NOT NULL,
	"dlq_after_max_retries" boolean DEFAULT false NOT NULL,
	"priority" integer DEFAULT 0 NOT NULL,
	"delayed_processing_s" integer DEFAULT 0 NOT NULL,
	"window_buffer_s" integer DEFAULT 0 NOT NULL,
	"retention_s" integer DEFAULT 0 NOT NULL,
	"completed_retention_s" integer DEFAULT 0 NOT NULL,
	"retention_enabled" boolean DEFAULT false NOT NULL,
	"encryption_enabled" boolean DEFAULT false NOT NULL,
	"max_wait_time_s" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp (6) with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "queen"."retries" (
	"queue_id" integer NOT NULL,
	"partition_id" bigint NOT NULL,
	"group_id" integer NOT NULL,
	"message_offset" bigint NOT NULL,
	"failure_count" integer NOT NULL,
	"error" text,
	"failed_at" timestamp (6) with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "retries_pkey" PRIMARY KEY("queue_id","partition_id","group_id","message_offset")
);
--> statement-breakpoint
CREATE TABLE "queen"."segments" (
	"queue_id" integer NOT NULL,
	"partition_id" bigint NOT NULL,
	"first_offset" bigint NOT NULL,
	"message_count" integer NOT NULL,
	"format" smallint NOT NULL,
	"raw_bytes" integer NOT NULL,
	"created_at" timestamp (6) with time zone NOT NULL,
	"id_base" uuid NOT NULL,
	"tx_min" uuid,
	"tx_max" uuid,
	"tx_keys" "bytea" NOT NULL,
	"body" "bytea" NOT NULL,
	CONSTRAINT "segments_pkey" PRIMARY KEY("queue_id","partition_id","first_offset")
);
--> statement-breakpoint
CREATE TABLE "queen"."system_flags" (
	"name" text PRIMARY KEY NOT NULL,
	"enabled" boolean NOT NULL,
	"updated_at" timestamp (6) with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "queen"."tombstones" (
	"queue_id" integer NOT NULL,
	"partition_id" bigint NOT NULL,
	"message_offset" bigint NOT NULL,
	CONSTRAINT "tombstones_pkey" PRIMARY KEY("queue_id","partition_id","message_offset")
);
--> statement-breakpoint
CREATE TABLE "queen"."traces" (
	"queue_id" integer NOT NULL,
	"id" uuid NOT NULL,
	"partition_id" bigint NOT NULL,
	"message_offset" bigint NOT NULL,
	"transaction_id" varchar(255) NOT NULL,
	"consumer_group" varchar(255),
	"event_type" text NOT NULL,
	"data" text NOT NULL,
	"names" text[] NOT NULL,
	"worker_id" text NOT NULL,
	"created_at" timestamp (6) with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "traces_pkey" PRIMARY KEY("queue_id","id")
);
--> statement-breakpoint
CREATE TABLE "queen"."transaction_keys" (
	"queue_id" integer NOT NULL,
	"partition_id" bigint NOT NULL,
	"key" uuid NOT NULL,
	"message_offset" bigint NOT NULL,
	CONSTRAINT "transaction_keys_pkey" PRIMARY KEY("queue_id","partition_id","key")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "consumer_groups_name" ON "queen"."consumer_groups" USING btree ("queue_id","name");--> statement-breakpoint
CREATE INDEX "consumer_groups_by_name" ON "queen"."consumer_groups" USING btree ("name");--> statement-breakpoint
CREATE INDEX "cursors_ready" ON "queen"."cursors" USING btree ("queue_id","group_id","ready_at") WHERE ready_at < 'infinity'::timestamptz;--> statement-breakpoint
CREATE INDEX "dead_letters_failed" ON "queen"."dead_letters" USING btree ("queue_id","failed_at");--> statement-breakpoint
CREATE INDEX "partitions_name" ON "queen"."partitions" USING btree ("queue_id","name");--> statement-breakpoint
CREATE UNIQUE INDEX "queues_name" ON "queen"."queues" USING btree ("name");--> statement-breakpoint
CREATE INDEX "queues_namespace_task" ON "queen"."queues" USING btree ("namespace","task");--> statement-breakpoint
CREATE INDEX "segments_tx" ON "queen"."segments" USING btree ("queue_id","partition_id","tx_max","tx_min");--> statement-breakpoint
CREATE INDEX "segments_created" ON "queen"."segments" USING btree ("queue_id","created_at");--> statement-breakpoint
CREATE INDEX "traces_message" ON "queen"."traces" USING btree ("queue_id","partition_id","message_offset");--> statement-breakpoint
CREATE INDEX "traces_names" ON "queen"."traces" USING gin ("names");--> statement-breakpoint
CREATE INDEX "transaction_keys_offset" ON "queen"."transaction_keys" USING btree ("queue_id","partition_id","message_offset") WHERE message_offset >= 0;