/** Page. */ export function ConsumerGroupsPage(_props: Record<string, string>) {
  return <p>soon</p>;
}
