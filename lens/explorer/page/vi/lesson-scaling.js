// The lesson, why 1/√d_k: see ../lesson/scaling.js.

export const LESSON_SCALING = {
  "d_k, the channels of a query and of a key": "d_k, số kênh của một truy vấn và của một khóa",
  "Move d_k, the number of channels": "Hãy kéo d_k, số kênh",
  "Without {scale}": "Không có {scale}",
  "With {scale}": "Có {scale}",
  "All scores": "Mọi điểm",
  "Weights of one query": "Trọng số của một truy vấn",
  "Another query": "Truy vấn khác",
  "variance {variance}": "phương sai {variance}",
  "largest {largest}, entropy {entropy} of {most} nats": "lớn nhất {largest}, entropy {entropy} trên {most} nat",
  "From d_k = 1 on the left to {most} on the right": "Từ d_k = 1 bên trái đến {most} bên phải",
  "Variance of the scores (logarithmic)": "Phương sai của điểm (thang logarit)",
  "Entropy of the weights (nats)": "Entropy của trọng số (nat)",
  "Gradient at a typical query (median)": "Gradient tại một truy vấn điển hình (trung vị)",
  "Gradient at one query (largest)": "Gradient tại một truy vấn (lớn nhất)",
  "{queries} random queries with {keys} keys each, all channels of variance 1, drawn by this page; a larger d_k adds channels to the same vectors.": "{queries} truy vấn ngẫu nhiên, mỗi truy vấn có {keys} khóa riêng, mọi kênh có phương sai 1, do trang này tự tạo; d_k lớn hơn chỉ thêm kênh vào chính các vectơ đó.",
};
