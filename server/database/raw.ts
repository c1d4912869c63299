import type { Model, mongo } from 'mongoose';

/** The collection of a model as the driver has it: what is written and read there is not cast, and nothing is filled in. */
export function rawCollection<Record extends mongo.Document>(model: Model<Record>): mongo.Collection<Record> {
  return model.db.collection<Record>(model.collection.name);
}
