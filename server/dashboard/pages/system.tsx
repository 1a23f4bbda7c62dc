/** Page. */ export function SystemPage(_props: Record<string, string>) {
  return <p>soon</p>;
}
