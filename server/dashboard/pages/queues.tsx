/** Page. */ export function QueuesPage(_props: Record<string, string>) {
  return <p>soon</p>;
}
