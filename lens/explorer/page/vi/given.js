// What comes in English with the data, by what it is: lens/ and model/ have made these texts, some with {values} in them.

export const GIVEN = {
  prompts: {
    "a story and its song": "truyện và bài hát",
    "a validation passage": "một đoạn kiểm định",
    "a random sequence, twice": "chuỗi ngẫu nhiên, hai lần",
    "a short sentence": "một câu ngắn",
  },
  parts: {
    "token embedding": "embedding của token",
    "n-gram embedding": "embedding của n-gram",
    "position embedding": "embedding của vị trí",
    "attention": "attention",
    "mlp": "MLP",
    "norms": "các phép chuẩn hóa",
    "head": "lớp ra (head)",
  },
  own: {
    "Its end “{end}” is left off: in a longer text it is mostly the beginning of a longer token.":
      "Phần cuối “{end}” được bỏ ra: trong văn bản dài hơn, nó thường là phần đầu của một token dài hơn.",
    "Its end “{end}” is the beginning of the first token that the model wrote.": "Phần cuối “{end}” là phần đầu của token đầu tiên mà mô hình viết.",
  },
  examples: {
    "From X to the output: four pixels": "Từ X đến kết quả: bốn điểm ảnh",
    "The tokens are the pixels of a 2x2 picture. Q, K and V are the same numbers and nothing is masked: each pixel looks at the whole picture. See how all outputs move towards p3, the longest vector: with Q = K it gets the highest score from every query.":
      "Các token là điểm ảnh của một bức ảnh 2x2. Q, K và V là cùng những con số và không có gì bị che: mỗi điểm ảnh nhìn cả bức ảnh. Hãy xem mọi kết quả dịch về phía p3, vectơ dài nhất: vì Q = K nên nó nhận điểm cao nhất từ mọi truy vấn.",
    "the input, four tokens of dim 4: an empty picture (invented)": "đầu vào, bốn token có dim 4: một bức ảnh trống (tự đặt ra)",
    "added to X: top, bottom, left, right (invented)": "cộng vào X: trên, dưới, trái, phải (tự đặt ra)",
    "makes 2 channels of 4; here one for Q, K and V (invented)": "biến 4 kênh thành 2; ở đây dùng chung cho Q, K và V (tự đặt ra)",
    "proj, back to dim 4 (invented)": "proj, trở lại dim 4 (tự đặt ra)",
    "Two heads of dim 4, and their parameters": "Hai đầu với dim 4, và các tham số của chúng",
    "dim 4 in 2 heads with attn_ratio 0.5: head_dim 4 // 2 = 2, key_dim int(2 · 0.5) = 1, and qkv makes 4 + 2 · 1 · 2 = {channels} channels. Q and K only make the weights, so they may be narrower than V, which carries the content. (One head of dim 4 at that ratio: key_dim 2, scale 0.7071.)":
      "dim 4 chia cho 2 đầu với attn_ratio 0.5: head_dim 4 // 2 = 2, key_dim int(2 · 0.5) = 1, và qkv tạo ra 4 + 2 · 1 · 2 = {channels} kênh. Q và K chỉ tạo ra trọng số, nên có thể hẹp hơn V, phần mang nội dung. (Một đầu với dim 4 ở tỉ lệ ấy: key_dim 2, scale 0.7071.)",
    "three tokens of dim 4 (invented)": "ba token có dim 4 (tự đặt ra)",
    "channels 0 and 1 of qkv: a query of 1 channel for each head (invented)": "kênh 0 và 1 của qkv: mỗi đầu một truy vấn có 1 kênh (tự đặt ra)",
    "channels 2 and 3: a key of 1 channel for each head (invented)": "kênh 2 và 3: mỗi đầu một khóa có 1 kênh (tự đặt ra)",
    "channels 4 to 7: a value of 2 channels for each head (invented)": "kênh 4 đến 7: mỗi đầu một giá trị có 2 kênh (tự đặt ra)",
    "proj: mixes the concatenated heads (invented)": "proj: trộn các đầu đã ghép lại (tự đặt ra)",
    "A feature map is a sequence: nine pixels": "Bản đồ đặc trưng là một chuỗi: chín điểm ảnh",
    "A 1x1 convolution is the same projection for each pixel, so the 3x3 pixels are nine tokens, unmasked: (1, 4, 3, 3) becomes QKV (1, 8, 3, 3). The same weights as Conv2d and as Linear give the same outputs: computed both ways here, the largest difference is {apart}. Each pixel sees all nine; through a 3x3 convolution a corner would see four.":
      "Tích chập 1x1 là cùng một phép chiếu cho từng điểm ảnh, nên 3x3 điểm ảnh là chín token, không bị che: (1, 4, 3, 3) thành QKV (1, 8, 3, 3). Cùng trọng số ấy, dùng như Conv2d hay như Linear, cho cùng kết quả: ở đây tính theo cả hai cách, khác biệt lớn nhất là {apart}. Mỗi điểm ảnh thấy cả chín; qua tích chập 3x3 thì một góc chỉ thấy bốn.",
    "3x3 pixels (invented)": "3x3 điểm ảnh (tự đặt ra)",
    "A dot product measures likeness": "Tích vô hướng đo độ giống nhau",
    "One query, three keys: multiply channel by channel and add up. The key that points the same way scores 14, another one 4, the opposite one -14. Softmax then gives nearly all weight to the most similar. (Not scaled.)":
      "Một truy vấn, ba khóa: nhân theo từng kênh rồi cộng lại. Khóa cùng hướng được 14 điểm, một khóa khác được 4, khóa ngược hướng được -14. Sau đó softmax dành gần như toàn bộ trọng số cho khóa giống nhất. (Không chia tỉ lệ.)",
    "the query": "truy vấn",
    "three keys, which are the values too": "ba khóa, cũng là các giá trị",
    "Self-attention without any weights": "Tự chú ý (self-attention) không có trọng số nào phải học",
    "Each token is its own query, key and value. First the scores x_i · x_j, then softmax over each row, then the weighted sum: the context vector. “journey” and “starts” have the same vector and so get the same output.":
      "Mỗi token là truy vấn, khóa và giá trị của chính nó. Trước hết là các điểm x_i · x_j, rồi softmax trên từng hàng, rồi tổng có trọng số: vectơ ngữ cảnh. “journey” và “starts” có cùng vectơ nên nhận cùng kết quả.",
    "three words, three channels each": "ba từ, mỗi từ ba kênh",
    "One sequence looks at another": "Một chuỗi nhìn vào chuỗi khác",
    "Cross-attention, as in translation: two words of one sequence ask, three words of another answer. The same function does it, and the weights are a rectangle. Scaled by 1/√3.":
      "Cross-attention, như trong dịch máy: hai từ của một chuỗi hỏi, ba từ của chuỗi khác trả lời. Vẫn là hàm ấy, và các trọng số tạo thành hình chữ nhật. Nhân với tỉ lệ 1/√3.",
    "two words that ask (invented)": "hai từ đặt câu hỏi (tự đặt ra)",
    "three words that are looked at, keys and values alike": "ba từ được nhìn vào, vừa là khóa vừa là giá trị",
    "The causal mask: the future hidden": "Mặt nạ nhân quả (causal mask): giấu tương lai",
    "The same three words, but none may see a later one: minus infinity is added to its score before the softmax, so its weight is exactly 0 and the row still adds up to 1. The first word sees only itself.":
      "Vẫn ba từ ấy, nhưng không từ nào được thấy từ đứng sau: âm vô cùng được cộng vào điểm của nó trước softmax, nên trọng số của nó đúng bằng 0 mà hàng vẫn có tổng bằng 1. Từ đầu tiên chỉ thấy chính nó.",
    "Three heads with three jobs, built by hand": "Ba đầu với ba nhiệm vụ, dựng bằng tay",
    "Three words, repeated; each head's weights are set by hand, not learned: head 0 looks one token back, head 1 at the first token, head 2 at the earlier occurrence of the same word (where there is none, at all positions alike). Their outputs are concatenated, and proj adds them up.":
      "Ba từ, lặp lại; trọng số của mỗi đầu được đặt bằng tay, không phải học: đầu 0 nhìn lùi một token, đầu 1 nhìn token đầu tiên, đầu 2 nhìn lần xuất hiện trước của cùng từ (nếu không có thì nhìn đều mọi vị trí). Kết quả của chúng được ghép lại, và proj cộng chúng với nhau.",
    "channels 0 to 2 say which word, 3 to 8 at which position": "kênh 0 đến 2 cho biết từ nào, kênh 3 đến 8 cho biết vị trí nào",
    "position i asks for position i - 1": "vị trí i hỏi vị trí i - 1",
    "every position asks for position 0": "mọi vị trí đều hỏi vị trí 0",
    "a word asks for the same word, but not at its own position": "một từ hỏi chính từ ấy, nhưng không phải ở vị trí của mình",
    "of each head: a token offers what it is": "của mỗi đầu: một token cho biết nó là gì",
    "of each head: a token gives its word": "của mỗi đầu: một token trao từ của nó",
    "proj: adds up the outputs of the heads": "proj: cộng kết quả của các đầu",
  },
};
