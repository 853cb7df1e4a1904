import { type AttachedControlPlane, type LabAws, startAws } from '../lab/index.ts';
import { buildProgram, type Program } from '../support/process.ts';
import { trustCluster } from './identity.ts';
import { ChartRights } from './rights.ts';

/** What all plans of a run share: a cluster, an AWS, and the program. */
export interface Ground {
  plane: AttachedControlPlane;
  aws: LabAws;
  program: Program;
  rights: ChartRights;
  /** ARN under which AWS knows the cluster's issuer of tokens. */
  provider: string;
  close(): Promise<void>;
}

/** @param plane stays open when the ground is closed */
export async function openGround(plane: AttachedControlPlane): Promise<Ground> {
  const [aws, program, rights] = await Promise.all([startAws(), buildProgram(), ChartRights.render(plane)]);
  const provider = await trustCluster(plane, aws);
  const close = async () => {
    await program.remove();
    await aws.stop();
  };
  return { plane, aws, program, rights, provider, close };
}
